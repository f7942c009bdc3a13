/**
 * Snapshots on disk, for backends: writing a new generation beside the old one, leasing and
 * verifying one for reading. Every operation on files goes through {@link
 * io.github.panvec.snapshot.FileOperations}. Plain Java; knows nothing of what is in the files. See
 * {@code docs/adr/0021-snapshot-files.md}.
 */
@NullMarked
package io.github.panvec.snapshot;

import org.jspecify.annotations.NullMarked;
