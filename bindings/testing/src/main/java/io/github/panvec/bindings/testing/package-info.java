/**
 * What is tested alike in the bindings of every library: that all functions are bound and found,
 * and that the program of a README runs.
 */
package io.github.panvec.bindings.testing;
