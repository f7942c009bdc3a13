/** Checks each backend in a JVM of its own. */
@NullMarked
package io.github.panvec.bench.doctor;

import org.jspecify.annotations.NullMarked;
