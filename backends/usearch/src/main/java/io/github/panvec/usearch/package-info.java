/**
 * The backend {@code usearch}: usearch's graph, built and walked by usearch, over rows and codes of
 * ours in {@code native-src/usearch}. Select it by name through {@link io.github.panvec.IndexSpec}.
 */
@NullMarked
package io.github.panvec.usearch;

import org.jspecify.annotations.NullMarked;
