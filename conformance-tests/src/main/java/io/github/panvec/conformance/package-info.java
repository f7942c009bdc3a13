/**
 * The contract of {@link io.github.panvec.VectorIndex} as tests. They run over every backend on the
 * class path, each kind of index of it ({@link io.github.panvec.conformance.Subjects}); {@code
 * docs/sample-backend} shows how a backend's author gets them, {@link
 * io.github.panvec.conformance.Conformance} runs them from a program.
 */
@NullMarked
package io.github.panvec.conformance;

import org.jspecify.annotations.NullMarked;
