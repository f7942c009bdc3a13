/**
 * What watches calls: events of JDK Flight Recorder, the flight file, the reporter of leaks. Not
 * exported; see {@code docs/adr/0015-observed-index.md}.
 */
@NullMarked
package io.github.panvec.internal;

import org.jspecify.annotations.NullMarked;
