/** Micro-benchmarks: what a downcall costs, a search, a batch of searches, and adding rows. */
package io.github.panvec.bench.jmh;
