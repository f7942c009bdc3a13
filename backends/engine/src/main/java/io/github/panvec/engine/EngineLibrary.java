package io.github.panvec.engine;

import io.github.panvec.Availability;
import io.github.panvec.BackendUnavailableException;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The native library of one backend: opened, checked and set up when it is first asked for, and the
 * outcome remembered. A subclass only says how to call it. Thread-safe.
 */
public abstract class EngineLibrary {
  /**
   * Forces a SIMD level ({@code baseline}, {@code avx2}, …) in all libraries of a JVM; {@code auto}
   * by default.
   */
  private static final String SIMD_PROPERTY = "panvec.simd";

  private final String backend;
  private final String upstreamVersion;
  private @Nullable Availability availability;

  /**
   * @param backend its name, for messages
   * @param upstreamVersion the version of the engine that the Java side was made for
   */
  protected EngineLibrary(String backend, String upstreamVersion) {
    this.backend = backend;
    this.upstreamVersion = upstreamVersion;
  }

  /** Opens the library and returns its file. */
  protected abstract String open();

  /** Version of its C interface. */
  protected abstract int abiVersion();

  /** NUL-terminated version of the engine in it. */
  protected abstract MemorySegment upstreamVersion();

  /** NUL-terminated name of the SIMD level in use. */
  protected abstract MemorySegment simdLevel();

  /** Forces a SIMD level; returns a status. */
  protected abstract int setSimdLevel(MemorySegment level, MemorySegment error, int errorCapacity);

  /** The option that grants native access on this command line, complete. */
  protected abstract String nativeAccessOption();

  /** The outcome, after trying once; never throws. */
  public final synchronized Availability availability() {
    if (availability == null) {
      availability = load();
    }
    return availability;
  }

  /**
   * Returns when the library works.
   *
   * @throws BackendUnavailableException when it does not, with the reason
   */
  public final void require() {
    Availability outcome = availability();
    if (!outcome.available()) {
      throw new BackendUnavailableException(
          backend + " cannot be used here: " + outcome.reason(), null);
    }
  }

  private Availability load() {
    try {
      String file = open();
      String refused = mismatch(file);
      if (refused == null) {
        refused = chooseSimdLevel();
      }
      return refused != null
          ? Availability.unavailable(refused)
          : Availability.of(file, upstreamVersion().getString(0), simdLevel().getString(0));
    } catch (IllegalCallerException | ExceptionInInitializerError | NoClassDefFoundError denied) {
      Throwable cause = denied.getCause() == null ? denied : denied.getCause();
      return Availability.unavailable(
          "its bindings cannot be used: " + cause + "\n  Start java with " + nativeAccessOption());
    } catch (RuntimeException | LinkageError failure) {
      return Availability.unavailable(
          failure.getMessage() == null ? failure.toString() : failure.getMessage());
    }
  }

  private @Nullable String mismatch(String file) {
    int abi = abiVersion();
    if (abi != NativeStatus.ABI_VERSION) {
      return file
          + " speaks version "
          + abi
          + " of Panvec's C interface, this jar version "
          + NativeStatus.ABI_VERSION
          + ": use a library and jars of the same release.";
    }
    String found = upstreamVersion().getString(0);
    if (!found.equals(upstreamVersion)) {
      return file
          + " contains "
          + backend
          + " "
          + found
          + ", this jar needs "
          + upstreamVersion
          + ": use a library and jars of the same release.";
    }
    return null;
  }

  private @Nullable String chooseSimdLevel() {
    String level = System.getProperty(SIMD_PROPERTY, "");
    if (level.isBlank()) {
      return null;
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment error = arena.allocate(HitSegments.ERROR_BYTES);
      int status = setSimdLevel(arena.allocateFrom(level), error, HitSegments.ERROR_BYTES);
      return status == NativeStatus.OK
          ? null
          : "-D" + SIMD_PROPERTY + "=" + level + ": " + error.getString(0);
    }
  }
}
