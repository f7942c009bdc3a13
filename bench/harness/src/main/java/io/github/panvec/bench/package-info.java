/** The {@code panvec} command: {@code eval} and {@code doctor}. */
@NullMarked
package io.github.panvec.bench;

import org.jspecify.annotations.NullMarked;
