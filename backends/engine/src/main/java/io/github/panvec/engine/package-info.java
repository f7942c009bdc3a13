/**
 * What the backends share: ids and slots, published versions, locks, checks, and the translation of
 * native errors. Not an API for applications; it changes with the backends.
 */
@NullMarked
package io.github.panvec.engine;

import org.jspecify.annotations.NullMarked;
