package io.github.panvec.sqlitevec;

import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.panvec_sqlitevec_abi_version;
import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.panvec_sqlitevec_set_simd_level;
import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.panvec_sqlitevec_simd_level;
import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.panvec_sqlitevec_sqlite_version;
import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.panvec_sqlitevec_upstream_version;

import io.github.panvec.engine.EngineLibrary;
import io.github.panvec.loader.NativeLibrary;
import java.lang.foreign.MemorySegment;

/** libpanvec_sqlitevec as a whole. */
final class SqliteVecLibrary extends EngineLibrary {
  static final SqliteVecLibrary INSTANCE = new SqliteVecLibrary();

  private SqliteVecLibrary() {
    super(SqliteVecBackend.NAME, SqliteVecBackend.UPSTREAM_VERSION);
  }

  /** SQLite's own version. */
  static String sqliteVersion() {
    return panvec_sqlitevec_sqlite_version().getString(0);
  }

  @Override
  protected String open() {
    String file = NativeLibrary.open("sqlitevec").file().toString();
    // A restricted method of this module's own: better refused here than in the first call.
    MemorySegment.NULL.reinterpret(0);
    return file;
  }

  @Override
  protected int abiVersion() {
    return panvec_sqlitevec_abi_version();
  }

  @Override
  protected MemorySegment upstreamVersion() {
    return panvec_sqlitevec_upstream_version();
  }

  @Override
  protected MemorySegment simdLevel() {
    return panvec_sqlitevec_simd_level();
  }

  @Override
  protected int setSimdLevel(MemorySegment level, MemorySegment error, int errorCapacity) {
    return panvec_sqlitevec_set_simd_level(level, error, errorCapacity);
  }

  @Override
  protected String nativeAccessOption() {
    return NativeLibrary.nativeAccessOption();
  }
}
