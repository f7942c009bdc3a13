/**
 * The sqlite-vec backend. {@link io.github.panvec.sqlitevec.SqliteVecIndex} keeps the contract of
 * {@code VectorIndex}, {@link io.github.panvec.sqlitevec.ConnectionPool} says who may use which
 * connection when, and {@link io.github.panvec.sqlitevec.SqliteVecConnection} alone touches native
 * memory and the generated bindings.
 */
@NullMarked
package io.github.panvec.sqlitevec;

import org.jspecify.annotations.NullMarked;
