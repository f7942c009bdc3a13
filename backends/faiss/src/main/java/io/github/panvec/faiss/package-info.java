/**
 * The backend {@code faiss}: FAISS's quantisers, inverted lists and HNSW graph, put together in
 * {@code native-src/faiss}. Select it by name through {@link io.github.panvec.IndexSpec}. All of
 * FAISS, without Panvec's contract, is in {@code io.github.panvec.bindings.faiss}.
 */
@NullMarked
package io.github.panvec.faiss;

import org.jspecify.annotations.NullMarked;
