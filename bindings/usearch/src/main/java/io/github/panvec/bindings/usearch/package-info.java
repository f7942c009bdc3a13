/**
 * What jextract made of the C API of usearch ({@link io.github.panvec.bindings.usearch.Usearch}) and of native-src/usearch/panvec_usearch.h ({@link
 * io.github.panvec.bindings.usearch.PanvecUsearch}, for Panvec's own backend): one static method for each C function, with no checks and no
 * manners. A wrong argument crashes the JVM; the README of this module says what else to know.
 *
 * <p>Nothing here loads the library. The first call of a function does, through {@link
 * io.github.panvec.loader.NativeLibrary#lookup}, and throws {@link io.github.panvec.loader.NativeLoadException} when that fails.
 * Backends call {@link io.github.panvec.loader.NativeLibrary#open} and compare the ABI version first.
 */
package io.github.panvec.bindings.usearch;
