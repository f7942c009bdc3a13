/** Datasets: readers that trust no file, and the sets known by name. */
@NullMarked
package io.github.panvec.bench.data;

import org.jspecify.annotations.NullMarked;
