package io.github.panvec.hnswlib;

import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_abi_version;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_set_simd_level;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_simd_level;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_upstream_version;

import io.github.panvec.Availability;
import io.github.panvec.engine.NativeStatus;
import io.github.panvec.loader.NativeLibrary;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** libpanvec_hnswlib: loaded, checked and set up once, when it is first asked for. */
final class HnswlibLibrary {
  static final String UPSTREAM_VERSION = "0.8.0";

  private HnswlibLibrary() {}

  private static final class Loaded {
    private static final Availability AVAILABILITY = load();
  }

  static Availability availability() {
    return Loaded.AVAILABILITY;
  }

  private static Availability load() {
    try (Arena scratch = Arena.ofConfined()) {
      String file = NativeLibrary.open("hnswlib").file().toString();
      int abi = panvec_hnswlib_abi_version();
      String upstream = panvec_hnswlib_upstream_version().getString(0);
      if (abi != NativeStatus.ABI_VERSION || !upstream.equals(UPSTREAM_VERSION)) {
        return Availability.unavailable(
            file + " has interface " + abi + " and hnswlib " + upstream + ", this Panvec needs interface "
                + NativeStatus.ABI_VERSION + " and hnswlib " + UPSTREAM_VERSION + "; rebuild it or take the one of this version");
      }
      MemorySegment error = scratch.allocate(512);
      String level = System.getProperty("panvec.simd", "auto");
      NativeStatus.check(panvec_hnswlib_set_simd_level(scratch.allocateFrom(level), error, 512), error);
      return Availability.of(file, upstream, panvec_hnswlib_simd_level().getString(0));
    } catch (RuntimeException | LinkageError failure) {
      return Availability.unavailable(String.valueOf(failure.getMessage()));
    }
  }
}
