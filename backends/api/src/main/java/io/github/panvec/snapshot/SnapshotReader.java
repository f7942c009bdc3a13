package io.github.panvec.snapshot;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexBusyException;
import io.github.panvec.IndexIoException;
import io.github.panvec.ProgressListener;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndexException;
import io.github.panvec.Verify;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * One generation of a snapshot, verified, its files mapped or in memory. As long as it is open no
 * save deletes them. What it hands out must not be used after {@link #close()}. Thread-safe.
 *
 * <p>What it cannot guard against: that somebody writes to a file that was verified, or cuts it
 * off. Reading a mapped page that is no longer there ends the process in native code, and in Java
 * is an {@link InternalError}. Saves never do such a thing.
 */
public final class SnapshotReader implements AutoCloseable {
  /** How often a generation may vanish, because of a quicker save, before it was leased. */
  private static final int ATTEMPTS = 1000;

  private static final int BUFFER_BYTES = 1 << 20;

  private final SnapshotManifest manifest;
  private final Map<String, MemorySegment> segments;
  private final Object name;
  private final @Nullable Path directory;
  private final @Nullable Arena arena;
  private final SnapshotLocks.@Nullable Lease lease;

  /** What {@link #requireVerified} has to do; null once it is done. */
  private volatile @Nullable FileCheck unverified;

  private boolean closed;

  private SnapshotReader(
      SnapshotManifest manifest,
      Map<String, MemorySegment> segments,
      Object name,
      @Nullable Path directory,
      @Nullable Arena arena,
      SnapshotLocks.@Nullable Lease lease,
      @Nullable FileCheck unverified) {
    this.manifest = manifest;
    this.segments = segments;
    this.name = name;
    this.directory = directory;
    this.arena = arena;
    this.lease = lease;
    this.unverified = unverified;
  }

  /**
   * The manifest alone.
   *
   * @throws ForeignFileException when there is no snapshot, or one of a later format
   * @throws CorruptIndexException when the manifest is damaged
   * @throws IndexIoException when it cannot be read
   */
  public static SnapshotManifest describe(SnapshotSource source, FileOperations operations) {
    if (source instanceof SnapshotSource.Memory memory) {
      return memoryManifest(memory);
    }
    if (source instanceof SnapshotSource.Fetched fetched) {
      return FetchedFiles.manifest(fetched);
    }
    Path directory = ((SnapshotSource.Directory) source).path().toAbsolutePath();
    return ManifestFormat.decode(
        directory.resolve(ManifestFormat.NAME), manifestBytes(directory, operations));
  }

  /**
   * The snapshot as it is now, verified.
   *
   * @param operations {@link FileOperations#disk()}, outside tests
   * @param listener hears how many bytes of all have been verified
   * @throws ForeignFileException when there is no snapshot, or one of a later format
   * @throws CorruptIndexException when a file is missing or differs from what the manifest says,
   *     naming it
   * @throws IndexIoException when a file cannot be read
   */
  public static SnapshotReader open(
      SnapshotSource source, Verify verify, FileOperations operations, ProgressListener listener) {
    if (source instanceof SnapshotSource.Memory memory) {
      return openMemory(memoryManifest(memory), memory, verify, listener, null);
    }
    if (source instanceof SnapshotSource.Fetched fetched) {
      return FetchedFiles.open(FetchedFiles.manifest(fetched), fetched, verify, listener);
    }
    Path directory = ((SnapshotSource.Directory) source).path().toAbsolutePath();
    try {
      return openDirectory(directory, verify, operations, listener);
    } catch (IOException failed) {
      throw Failures.reading(directory, failed);
    }
  }

  /** As {@link #open(SnapshotSource, Verify, FileOperations, ProgressListener)}, on disk. */
  public static SnapshotReader open(SnapshotSource source, Verify verify) {
    return open(source, verify, FileOperations.disk(), (done, total) -> {});
  }

  /**
   * Reads every file to its end, also those behind a damaged one.
   *
   * @param operations {@link FileOperations#disk()}, outside tests
   * @param listener hears how many bytes of all have been verified
   * @throws ForeignFileException when there is no snapshot, or one of a later format
   * @throws CorruptIndexException when the manifest is damaged: nothing is known of the files then
   * @throws IndexIoException when the manifest cannot be read
   */
  public static SnapshotVerification verify(
      SnapshotSource source, FileOperations operations, ProgressListener listener) {
    if (source instanceof SnapshotSource.Memory memory) {
      return verifyMemory(memory, listener);
    }
    if (source instanceof SnapshotSource.Fetched fetched) {
      return verifyFetched(fetched, listener);
    }
    Path directory = ((SnapshotSource.Directory) source).path().toAbsolutePath();
    try {
      return verifyDirectory(directory, operations, listener);
    } catch (IOException failed) {
      throw Failures.reading(directory, failed);
    }
  }

  // -------------------------------------------------------------------------------- a directory

  private static byte[] manifestBytes(Path directory, FileOperations operations) {
    Path path = directory.resolve(ManifestFormat.NAME);
    try {
      switch (operations.kind(directory)) {
        case MISSING:
          throw new ForeignFileException(directory + " does not exist");
        case OTHER:
          throw new ForeignFileException(directory + " is a file; a snapshot is a directory");
        default:
          byte[] bytes = SnapshotWriter.readIfThere(operations, path);
          if (bytes == null) {
            throw new ForeignFileException(
                directory + " is no snapshot: it has no " + ManifestFormat.NAME);
          }
          return bytes;
      }
    } catch (IOException failed) {
      throw Failures.reading(path, failed);
    }
  }

  private static SnapshotReader openDirectory(
      Path directory, Verify verify, FileOperations operations, ProgressListener listener)
      throws IOException {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      byte[] bytes = manifestBytes(directory, operations);
      SnapshotManifest manifest =
          ManifestFormat.decode(directory.resolve(ManifestFormat.NAME), bytes);
      SnapshotLocks.Lease lease = SnapshotLocks.lease(operations, directory, manifest.generation());
      SnapshotReader reader = null;
      try {
        if (lease != null && isStill(bytes, directory, operations)) {
          reader = openLeased(manifest, directory, verify, operations, listener, lease);
          return reader;
        }
      } catch (CorruptIndexException damaged) {
        // Without a lock file there are no leases across processes, and a save may have been here.
        if (isStill(bytes, directory, operations)) {
          throw damaged;
        }
      } finally {
        if (reader == null && lease != null) {
          lease.close();
        }
      }
    }
    throw tooFast(directory);
  }

  /**
   * The generation that the manifest names, and that no save deletes before the lease is closed.
   */
  record Leased(SnapshotManifest manifest, SnapshotLocks.Lease lease) {}

  /** Takes a lease, and opens nothing. */
  static Leased lease(Path directory, FileOperations operations) throws IOException {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      byte[] bytes = manifestBytes(directory, operations);
      SnapshotManifest manifest =
          ManifestFormat.decode(directory.resolve(ManifestFormat.NAME), bytes);
      SnapshotLocks.Lease lease = SnapshotLocks.lease(operations, directory, manifest.generation());
      boolean leased = false;
      try {
        leased = lease != null && isStill(bytes, directory, operations);
        if (leased) {
          return new Leased(manifest, lease);
        }
      } finally {
        if (!leased && lease != null) {
          lease.close();
        }
      }
    }
    throw tooFast(directory);
  }

  /** A generation that is leased, once more. */
  static SnapshotReader open(
      SnapshotManifest manifest,
      Path directory,
      Verify verify,
      FileOperations operations,
      ProgressListener listener)
      throws IOException {
    SnapshotLocks.Lease lease = SnapshotLocks.lease(operations, directory, manifest.generation());
    if (lease == null) {
      throw new IndexBusyException(
          directory + ": generation " + manifest.generation() + " is being deleted");
    }
    SnapshotReader reader = null;
    try {
      reader = openLeased(manifest, directory, verify, operations, listener, lease);
      return reader;
    } finally {
      if (reader == null) {
        lease.close();
      }
    }
  }

  private static IndexBusyException tooFast(Path directory) {
    return new IndexBusyException(directory + " is saved to faster than it can be opened");
  }

  private static SnapshotVerification verifyDirectory(
      Path directory, FileOperations operations, ProgressListener listener) throws IOException {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      byte[] bytes = manifestBytes(directory, operations);
      SnapshotManifest manifest =
          ManifestFormat.decode(directory.resolve(ManifestFormat.NAME), bytes);
      try (SnapshotLocks.Lease lease =
          SnapshotLocks.lease(operations, directory, manifest.generation())) {
        if (lease == null || !isStill(bytes, directory, operations)) {
          continue;
        }
        SnapshotVerification verification =
            verifyAll(
                manifest,
                listener,
                (entry, progress) ->
                    readFile(directory, entry, Verify.FULL, operations, progress, null));
        // As in openDirectory.
        if (verification.isWell() || isStill(bytes, directory, operations)) {
          return verification;
        }
      }
    }
    throw tooFast(directory);
  }

  /** Checks one file. */
  @FunctionalInterface
  private interface FileCheck {
    /**
     * @throws CorruptIndexException when it is not what the manifest says
     * @throws IndexIoException when it cannot be read
     */
    void check(SnapshotManifest.Entry entry, Progress progress);
  }

  private static SnapshotVerification verifyAll(
      SnapshotManifest manifest, ProgressListener listener, FileCheck check) {
    Map<String, VectorIndexException> failures = new LinkedHashMap<>();
    Progress progress = new Progress(listener, manifest.bytes());
    long end = 0;
    for (SnapshotManifest.Entry entry : manifest.files()) {
      end += entry.bytes();
      try {
        check.check(entry, progress);
      } catch (CorruptIndexException | IndexIoException failed) {
        failures.put(entry.path(), failed);
        progress.moveTo(end);
      }
    }
    return new SnapshotVerification(manifest, failures);
  }

  private static boolean isStill(byte[] bytes, Path directory, FileOperations operations) {
    return Arrays.equals(bytes, manifestBytes(directory, operations));
  }

  private static SnapshotReader openLeased(
      SnapshotManifest manifest,
      Path directory,
      Verify verify,
      FileOperations operations,
      ProgressListener listener,
      SnapshotLocks.Lease lease) {
    Map<String, MemorySegment> segments = new LinkedHashMap<>();
    Arena arena = Arena.ofShared();
    boolean complete = false;
    try {
      Progress progress = new Progress(listener, manifest.bytes());
      for (SnapshotManifest.Entry entry : manifest.files()) {
        segments.put(entry.name(), readFile(directory, entry, verify, operations, progress, arena));
      }
      complete = true;
      FileCheck unverified =
          verify == Verify.FULL
              ? null
              : (entry, verified) ->
                  readFile(directory, entry, Verify.FULL, operations, verified, null);
      return new SnapshotReader(manifest, segments, directory, directory, arena, lease, unverified);
    } finally {
      if (!complete) {
        arena.close();
      }
    }
  }

  /**
   * Checks a file.
   *
   * @param arena how long it is to be mapped; null when it is not
   * @return its mapping, or {@link MemorySegment#NULL}
   */
  private static MemorySegment readFile(
      Path directory,
      SnapshotManifest.Entry entry,
      Verify verify,
      FileOperations operations,
      Progress progress,
      @Nullable Arena arena) {
    Path file = directory.resolve(entry.path());
    try (FileOperations.Input input = operations.open(file)) {
      checkSize(file, entry.bytes(), input.size());
      if (verify == Verify.FULL) {
        check(file, entry.crc32c(), readChecksum(input, progress));
      }
      return arena == null ? MemorySegment.NULL : input.map(entry.bytes(), arena);
    } catch (NoSuchFileException missing) {
      throw missing(file, entry);
    } catch (IOException failed) {
      throw Failures.reading(file, failed);
    }
  }

  /**
   * Reads the file rather than its mapping: a sector that cannot be read, or a file that is being
   * cut off, is an exception here and would end the process there.
   */
  private static int readChecksum(FileOperations.Input input, Progress progress)
      throws IOException {
    CRC32C crc = new CRC32C();
    try (Arena arena = Arena.ofConfined()) {
      ByteBuffer buffer = arena.allocate(BUFFER_BYTES).asByteBuffer();
      long position = 0;
      while (true) {
        int read = input.read(buffer.clear(), position);
        if (read == 0) {
          return (int) crc.getValue();
        }
        crc.update(buffer.flip());
        position += read;
        progress.advance(read);
      }
    }
  }

  // ------------------------------------------------------------------------------------- in memory

  static SnapshotManifest memoryManifest(SnapshotSource.Memory memory) {
    MemorySegment segment = memory.files().get(ManifestFormat.NAME);
    if (segment == null) {
      throw new ForeignFileException(memory + ": it has no " + ManifestFormat.NAME);
    }
    long bytes = Math.min(segment.byteSize(), ManifestFormat.MAX_BYTES + 1L);
    byte[] copy = new byte[(int) bytes];
    MemorySegment.copy(segment, 0, MemorySegment.ofArray(copy), 0, bytes);
    return ManifestFormat.decode(memory + ", " + ManifestFormat.NAME, copy);
  }

  /**
   * @param arena closed with the reader; stays the caller's when this throws
   */
  static SnapshotReader openMemory(
      SnapshotManifest manifest,
      SnapshotSource.Memory memory,
      Verify verify,
      ProgressListener listener,
      @Nullable Arena arena) {
    Map<String, MemorySegment> segments = new LinkedHashMap<>();
    for (SnapshotManifest.Entry entry : manifest.files()) {
      segments.put(entry.name(), inMemory(memory, entry));
    }
    FileCheck check = (entry, progress) -> checkMemory(memory, entry, progress);
    if (verify == Verify.FULL) {
      checkAll(manifest, check, listener);
    }
    return new SnapshotReader(
        manifest, segments, memory.name(), null, arena, null, verify == Verify.FULL ? null : check);
  }

  private static SnapshotVerification verifyMemory(
      SnapshotSource.Memory memory, ProgressListener listener) {
    return verifyAll(
        memoryManifest(memory),
        listener,
        (entry, progress) -> checkMemory(memory, entry, progress));
  }

  /** That file, of the size that it should have. */
  private static MemorySegment inMemory(
      SnapshotSource.Memory memory, SnapshotManifest.Entry entry) {
    MemorySegment segment = memory.files().get(entry.path());
    String file = memory + ", " + entry.path();
    if (segment == null) {
      throw missing(file, entry);
    }
    checkSize(file, entry.bytes(), segment.byteSize());
    return segment.asReadOnly();
  }

  private static SnapshotVerification verifyFetched(
      SnapshotSource.Fetched fetched, ProgressListener listener) {
    return verifyAll(
        FetchedFiles.manifest(fetched),
        listener,
        (entry, progress) -> {
          try (Arena arena = Arena.ofShared()) {
            checkMemory(FetchedFiles.fetch(fetched, List.of(entry), arena), entry, progress);
          }
        });
  }

  private static void checkMemory(
      SnapshotSource.Memory memory, SnapshotManifest.Entry entry, Progress progress) {
    int crc = Checksum.of(inMemory(memory, entry), progress::advance);
    check(memory + ", " + entry.path(), entry.crc32c(), crc);
  }

  // ---------------------------------------------------------------------------------------- checks

  private static CorruptIndexException missing(Object file, SnapshotManifest.Entry entry) {
    return Failures.corrupt(
        file, "missing; the manifest lists it with " + entry.bytes() + " bytes");
  }

  private static void checkSize(Object file, long listed, long found) {
    if (listed != found) {
      throw Failures.corrupt(file, "has " + found + " bytes; the manifest says " + listed);
    }
  }

  private static void check(Object file, int listed, int computed) {
    if (listed != computed) {
      throw Failures.corrupt(
          file,
          "its CRC-32C is "
              + Checksum.hex(computed)
              + "; the manifest says "
              + Checksum.hex(listed));
    }
  }

  /** How far verification has come, over all files. */
  private static final class Progress {
    private final ProgressListener listener;
    private final long total;
    private long done;

    Progress(ProgressListener listener, long total) {
      this.listener = listener;
      this.total = total;
    }

    void advance(long bytes) {
      moveTo(done + bytes);
    }

    void moveTo(long bytes) {
      done = bytes;
      listener.progress(done, total);
    }
  }

  /** Ends with the first that is wrong. */
  private static void checkAll(
      SnapshotManifest manifest, FileCheck check, ProgressListener listener) {
    Progress progress = new Progress(listener, manifest.bytes());
    for (SnapshotManifest.Entry entry : manifest.files()) {
      check.check(entry, progress);
    }
  }

  // ---------------------------------------------------------------------------- what is in it

  /** What the manifest says. */
  public SnapshotManifest manifest() {
    return manifest;
  }

  /**
   * The content of a file, read-only, until this is closed.
   *
   * @param name the name that it was written under
   * @throws CorruptIndexException when there is none of that name, which a backend needs
   */
  public MemorySegment file(String name) {
    MemorySegment segment = segments.get(name);
    if (segment == null) {
      throw Failures.corrupt(
          this.name, "has no file \"" + name + "\"; " + manifest.backend() + " needs it");
    }
    return segment;
  }

  /**
   * Verifies every file, unless that has been done: for backends, before they write what is in them
   * elsewhere. Under checksums of its own damage would pass for data.
   *
   * @throws CorruptIndexException when a file differs from what the manifest says, naming it
   * @throws IndexIoException when a file cannot be read
   */
  public void requireVerified() {
    FileCheck check = unverified;
    if (check != null) {
      checkAll(manifest, check, (done, total) -> {});
      unverified = null;
    }
  }

  /**
   * For backends: that a file is not what it should be.
   *
   * @param name of one of its files, or {@code manifest.json}
   * @param what is wrong, as a sentence about the file
   */
  public CorruptIndexException corrupt(String name, String what) {
    String path =
        manifest.files().stream()
            .filter(entry -> entry.name().equals(name))
            .map(SnapshotManifest.Entry::path)
            .findFirst()
            .orElse(name);
    return Failures.corrupt(
        directory == null ? this.name + ", " + path : directory.resolve(path), what);
  }

  /** Whether there is a file of that name. */
  public boolean has(String name) {
    return segments.containsKey(name);
  }

  /**
   * Where the file lies, for libraries that want a path. They must only read it.
   *
   * @return empty when the snapshot is in memory
   * @throws NoSuchElementException when there is no file of that name
   */
  public Optional<Path> path(String name) {
    for (SnapshotManifest.Entry entry : manifest.files()) {
      if (entry.name().equals(name)) {
        return Optional.ofNullable(directory).map(folder -> folder.resolve(entry.path()));
      }
    }
    throw new NoSuchElementException(name);
  }

  /** The directory, or what messages call it. */
  @Override
  public String toString() {
    return name.toString();
  }

  /** Unmaps the files and gives the generation free. Idempotent. */
  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    if (arena != null) {
      arena.close();
    }
    if (lease != null) {
      lease.close();
    }
  }
}
