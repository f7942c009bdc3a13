package io.github.panvec;

/**
 * One result of a search.
 *
 * @param id the id it was added under
 * @param distance how far it is from the query: see {@link Metric}
 */
public record Hit(long id, float distance) {}
