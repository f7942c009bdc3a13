/**
 * What jextract made of native-src/sqlite-vec/panvec_sqlitevec.h: one static method for each C function, with no checks and no manners. A
 * wrong argument crashes the JVM; for backends only.
 *
 * <p>Nothing here loads the library. The first call of a function does, through {@link
 * io.github.panvec.loader.NativeLibrary#lookup}, and throws {@link io.github.panvec.loader.NativeLoadException} when that fails.
 * Backends call {@link io.github.panvec.loader.NativeLibrary#open} and compare the ABI version first.
 */
package io.github.panvec.bindings.sqlitevec;
