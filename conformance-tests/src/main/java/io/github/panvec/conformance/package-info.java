/**
 * The contract of {@link io.github.panvec.VectorIndex} as tests. A backend's author extends {@link
 * io.github.panvec.conformance.VectorIndexContract} with the name of the backend.
 */
@NullMarked
package io.github.panvec.conformance;

import org.jspecify.annotations.NullMarked;
