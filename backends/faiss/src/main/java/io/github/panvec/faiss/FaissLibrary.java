package io.github.panvec.faiss;

import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_abi_version;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_set_simd_level;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_simd_level;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_upstream_version;

import io.github.panvec.engine.EngineLibrary;
import io.github.panvec.loader.NativeLibrary;
import java.lang.foreign.MemorySegment;

/** libpanvec_faiss as a whole. */
final class FaissLibrary extends EngineLibrary {
  static final FaissLibrary INSTANCE = new FaissLibrary();

  private FaissLibrary() {
    super(FaissBackend.NAME, FaissBackend.UPSTREAM_VERSION);
  }

  @Override
  protected String open() {
    String file = NativeLibrary.open("faiss").file().toString();
    // A restricted method of this module's own: better refused here than in the first call.
    MemorySegment.NULL.reinterpret(0);
    return file;
  }

  @Override
  protected int abiVersion() {
    return panvec_faiss_abi_version();
  }

  @Override
  protected MemorySegment upstreamVersion() {
    return panvec_faiss_upstream_version();
  }

  @Override
  protected MemorySegment simdLevel() {
    return panvec_faiss_simd_level();
  }

  @Override
  protected int setSimdLevel(MemorySegment level, MemorySegment error, int errorCapacity) {
    return panvec_faiss_set_simd_level(level, error, errorCapacity);
  }

  @Override
  protected String nativeAccessOption() {
    return NativeLibrary.nativeAccessOption();
  }
}
