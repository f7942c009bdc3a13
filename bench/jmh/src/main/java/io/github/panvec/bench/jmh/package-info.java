/** Micro-benchmarks: what a downcall costs, and a search. */
package io.github.panvec.bench.jmh;
