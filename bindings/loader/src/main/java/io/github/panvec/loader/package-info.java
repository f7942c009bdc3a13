/**
 * Finds, verifies and opens Panvec's native libraries; the only handwritten module of the bindings.
 *
 * <p>Where {@link io.github.panvec.loader.NativeLibrary#open} looks for library {@code hnswlib}, in
 * this order:
 *
 * <ol>
 *   <li>the file that the system property {@code panvec.hnswlib.path} names. Whoever names a file
 *       wants that file: when it is missing or does not load, the load has failed and nothing else
 *       is tried;
 *   <li>the directory that the system property {@code panvec.native.dir} names, else the
 *       environment variable {@code PANVEC_NATIVE_DIR}: {@code libpanvec_hnswlib.so} (macOS: {@code
 *       .dylib}) directly in it, else in its folder {@code <os>-<arch>}. A file that is there but
 *       does not load is a failure; when there is none, the next place is tried, for the directory
 *       may hold other libraries only;
 *   <li>the resource {@code META-INF/native/<os>-<arch>/libpanvec_hnswlib.so} of the class path or
 *       module path, with its SHA-256 in the resource {@code libpanvec_hnswlib.so.sha256} beside
 *       it. It is copied to {@code <cache>/natives/<sha256>/libpanvec_hnswlib.so} and verified at
 *       every load; a damaged copy is replaced. The cache is the system property {@code
 *       panvec.cache}, else the environment variable {@code PANVEC_CACHE}, else {@code
 *       ~/.cache/panvec}.
 * </ol>
 *
 * <p>{@code <os>} is {@code linux} or {@code macos}, {@code <arch>} is {@code x86_64} or {@code
 * aarch64}.
 *
 * <p>A library may have variants for CPUs with more than the baseline of their architecture: {@code
 * libpanvec_faiss_avx2.so} and {@code libpanvec_faiss_avx512.so} beside {@code libpanvec_faiss.so}.
 * In each place the best one that this CPU runs is taken; {@code libpanvec_cpu}, looked for like
 * any other library, knows the CPU, and without it the plain library is taken. The system property
 * {@code panvec.simd} ({@code baseline}, {@code avx2}, {@code avx512}, {@code auto}) sets an upper
 * limit. A named file that this CPU cannot run is refused, because opening it would end the JVM.
 *
 * <p>Libraries are opened with {@code dlopen(RTLD_NOW | RTLD_LOCAL)} instead of {@link
 * System#load}: every symbol is bound at once or the linker says which is missing, no symbol of one
 * library is seen by another, and any number of class loaders may open the same file. They stay
 * open as long as the JVM lives. No static initializer opens anything.
 */
@NullMarked
package io.github.panvec.loader;

import org.jspecify.annotations.NullMarked;
