/**
 * What a backend implements to be found by {@link io.github.panvec.Panvec} through {@link
 * java.util.ServiceLoader}.
 */
@NullMarked
package io.github.panvec.spi;

import org.jspecify.annotations.NullMarked;
