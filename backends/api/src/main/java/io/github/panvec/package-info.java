/**
 * One API over native nearest-neighbour engines.
 *
 * <p>Start with {@link io.github.panvec.Panvec#create(IndexSpec)}. Distances follow pgvector's
 * operators and are the same, to the last bit, on every backend: see {@link
 * io.github.panvec.Metric}. Everything here is plain Java; types of {@code java.lang.foreign}
 * appear only in the documented zero-copy overloads.
 */
@NullMarked
package io.github.panvec;

import org.jspecify.annotations.NullMarked;
