/** Searching beside a writer for minutes: is it right all the time, and how long does it take. */
@NullMarked
package io.github.panvec.bench.soak;

import org.jspecify.annotations.NullMarked;
