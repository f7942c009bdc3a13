/**
 * The backend {@code hnswlib}: hnswlib's graph, built by hnswlib and walked by our own search in
 * {@code native-src/hnswlib}. Select it by name through {@link io.github.panvec.IndexSpec}.
 */
@NullMarked
package io.github.panvec.hnswlib;

import org.jspecify.annotations.NullMarked;
