package io.github.panvec.conformance;

import io.github.panvec.Metric;

/**
 * One claim, held against one kind of index at one metric and dimension.
 *
 * @param type as {@link Subject#type()}
 * @param claim an identifier of {@code docs/contract.md}
 */
public record Cell(String backend, String type, Metric metric, int dimension, String claim) {}
