package io.github.panvec.hnswlib;

import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_abi_version;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_set_simd_level;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_simd_level;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_upstream_version;

import io.github.panvec.engine.EngineLibrary;
import io.github.panvec.loader.NativeLibrary;
import java.lang.foreign.MemorySegment;

/** libpanvec_hnswlib as a whole. */
final class HnswlibLibrary extends EngineLibrary {
  static final HnswlibLibrary INSTANCE = new HnswlibLibrary();

  private HnswlibLibrary() {
    super(HnswlibBackend.NAME, HnswlibBackend.UPSTREAM_VERSION);
  }

  @Override
  protected String open() {
    String file = NativeLibrary.open("hnswlib").file().toString();
    // A restricted method of this module's own: better refused here than in the first call.
    MemorySegment.NULL.reinterpret(0);
    return file;
  }

  @Override
  protected int abiVersion() {
    return panvec_hnswlib_abi_version();
  }

  @Override
  protected MemorySegment upstreamVersion() {
    return panvec_hnswlib_upstream_version();
  }

  @Override
  protected MemorySegment simdLevel() {
    return panvec_hnswlib_simd_level();
  }

  @Override
  protected int setSimdLevel(MemorySegment level, MemorySegment error, int errorCapacity) {
    return panvec_hnswlib_set_simd_level(level, error, errorCapacity);
  }

  @Override
  protected String nativeAccessOption() {
    return NativeLibrary.nativeAccessOption();
  }
}
