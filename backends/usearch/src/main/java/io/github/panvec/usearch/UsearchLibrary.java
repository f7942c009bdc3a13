package io.github.panvec.usearch;

import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_abi_version;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_set_simd_level;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_simd_level;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_upstream_version;

import io.github.panvec.engine.EngineLibrary;
import io.github.panvec.loader.NativeLibrary;
import java.lang.foreign.MemorySegment;

/** libpanvec_usearch as a whole. */
final class UsearchLibrary extends EngineLibrary {
  static final UsearchLibrary INSTANCE = new UsearchLibrary();

  private UsearchLibrary() {
    super(UsearchBackend.NAME, UsearchBackend.UPSTREAM_VERSION);
  }

  @Override
  protected String open() {
    String file = NativeLibrary.open("usearch").file().toString();
    // A restricted method of this module's own: better refused here than in the first call.
    MemorySegment.NULL.reinterpret(0);
    return file;
  }

  @Override
  protected int abiVersion() {
    return panvec_usearch_abi_version();
  }

  @Override
  protected MemorySegment upstreamVersion() {
    return panvec_usearch_upstream_version();
  }

  @Override
  protected MemorySegment simdLevel() {
    return panvec_usearch_simd_level();
  }

  @Override
  protected int setSimdLevel(MemorySegment level, MemorySegment error, int errorCapacity) {
    return panvec_usearch_set_simd_level(level, error, errorCapacity);
  }

  @Override
  protected String nativeAccessOption() {
    return NativeLibrary.nativeAccessOption();
  }
}
