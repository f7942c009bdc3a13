package io.github.panvec.loader;

import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * What a library was compiled for, and what a CPU runs; each constant runs what was made for those
 * before it. A library of a level above {@link #BASELINE} is a variant: its file has the level's
 * name at the end, {@code libpanvec_faiss_avx2.so}, and it takes the place of the plain one. Opened
 * on a CPU without the level it would end the JVM.
 */
enum SimdLevel {
  /** Every CPU of the architecture. */
  BASELINE("the baseline"),
  /** x86-64-v3. */
  AVX2("AVX2 (x86-64-v3)"),
  /** x86-64-v4. */
  AVX512("AVX-512 (x86-64-v4)");

  private final String text;

  SimdLevel(String text) {
    this.text = text;
  }

  /** For people. */
  String text() {
    return text;
  }

  /** The short name of the variant of a library, for example {@code faiss_avx2}. */
  String variantOf(String library) {
    return this == BASELINE ? library : library + "_" + suffix();
  }

  private String suffix() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** By the name that libpanvec_cpu gives; any other one is the baseline. */
  static SimdLevel named(String name) {
    for (SimdLevel level : values()) {
      if (level.suffix().equals(name)) {
        return level;
      }
    }
    return BASELINE;
  }

  /** The level in the name of a library's file. */
  static SimdLevel ofFile(String fileName) {
    for (SimdLevel level : values()) {
      if (fileName.matches(".*_" + level.suffix() + "\\.(so|dylib)")) {
        return level;
      }
    }
    return BASELINE;
  }

  /** The highest level that the value of {@code -Dpanvec.simd} leaves. */
  static SimdLevel cap(@Nullable String setting) {
    return setting == null || setting.isBlank() || setting.equals("auto") ? AVX512 : named(setting);
  }
}
