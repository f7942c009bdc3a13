/** The evaluation: ground truth, recall, measurement, table. */
@NullMarked
package io.github.panvec.bench.eval;

import org.jspecify.annotations.NullMarked;
