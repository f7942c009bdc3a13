/**
 * The {@code panvec} command: {@code eval}, {@code doctor}, {@code conformance} and {@code soak}.
 */
@NullMarked
package io.github.panvec.bench;

import org.jspecify.annotations.NullMarked;
