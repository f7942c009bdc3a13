package io.github.panvec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.spi.VectorBackend;
import java.util.EnumSet;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PanvecTest {
  private static @Nullable IndexSpec created;

  /** On the path, and working. */
  public static class Working implements VectorBackend {
    @Override
    public String name() {
      return "hnswlib";
    }

    @Override
    public String upstreamVersion() {
      return "0.8.0";
    }

    @Override
    public Capabilities capabilities() {
      return new Capabilities(EnumSet.of(Metric.L2, Metric.DOT), 100, 10, true, false, false);
    }

    @Override
    public List<Parameter> parameters() {
      return List.of(
          Parameter.integer("m", 16, 2, 512, "neighbours"),
          Parameter.path("path", "where it lives"));
    }

    @Override
    public Availability availability() {
      return Availability.of("lib", "0.8.0", "baseline");
    }

    @Override
    public VectorIndex create(IndexSpec spec) {
      created = spec;
      throw new UnsupportedOperationException("enough");
    }
  }

  /** On the path, but its library does not load. */
  public static final class Broken extends Working {
    @Override
    public String name() {
      return "faiss";
    }

    @Override
    public Capabilities capabilities(IndexSpec spec) {
      if (spec.parameters().get("nlist") instanceof Long nlist && nlist == 13) {
        throw new IllegalArgumentException("13 brings bad luck");
      }
      boolean lossy = "false".equals(spec.parameters().get("keepVectors"));
      return new Capabilities(EnumSet.of(Metric.L2), 100, 10, true, lossy, false);
    }

    /** What depends on another comes before it. */
    @Override
    public List<Parameter> parameters() {
      return List.of(
          Parameter.integer("nlist", 8, 1, 100, "lists").onlyFor("type", List.of("ivf", "ivf_pq")),
          Parameter.choice("keepVectors", List.of("true", "false"), "rows")
              .onlyFor("type", List.of("ivf_pq")),
          Parameter.choice("type", List.of("flat", "ivf", "ivf_pq"), "kind"));
    }

    @Override
    public Availability availability() {
      return Availability.unavailable("libfaiss.so: invalid ELF header");
    }
  }

  @BeforeEach
  void forget() {
    created = null;
  }

  @Test
  void backendsAreListedByName() {
    assertThat(Panvec.backends())
        .extracting(VectorBackend::name)
        .containsExactly("faiss", "hnswlib");
  }

  @Test
  void anUnknownBackendIsAnsweredWithTheNearestAndThoseThatDoNotLoad() {
    assertThatThrownBy(() -> Panvec.create(IndexSpec.of("hnwslib", 3, Metric.L2)))
        .isInstanceOf(UnknownBackendException.class)
        .hasMessage(
            "No backend \"hnwslib\". Did you mean \"hnswlib\"? Available: hnswlib 0.8.0; "
                + "faiss is on the path but did not load: libfaiss.so: invalid ELF header");
  }

  @Test
  void defaultsAreFilledInAndGivenValuesParsed() {
    assertThatThrownBy(() -> Panvec.create(IndexSpec.of("hnswlib", 3, Metric.L2)))
        .isInstanceOf(UnsupportedOperationException.class);
    assertThat(created).isEqualTo(IndexSpec.of("hnswlib", 3, Metric.L2).with("m", 16L));
    assertThatThrownBy(() -> Panvec.create(IndexSpec.of("hnswlib", 3, Metric.L2).with("m", "8")))
        .isInstanceOf(UnsupportedOperationException.class);
    assertThat(created.parameters()).containsEntry("m", 8L);
  }

  @Test
  void anUnknownParameterIsAnsweredWithTheList() {
    assertThatThrownBy(() -> Panvec.create(IndexSpec.of("hnswlib", 3, Metric.L2).with("pth", "x")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("No hnswlib parameter \"pth\". Did you mean \"path\"? Available: m, path");
    assertThat(created).isNull();
  }

  @Test
  void metricsAndDimensionsBeyondTheBackendsAreRefused() {
    assertThatThrownBy(() -> Panvec.create(IndexSpec.of("hnswlib", 3, Metric.COSINE)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("not COSINE");
    assertThatThrownBy(() -> Panvec.create(IndexSpec.of("hnswlib", 101, Metric.L2)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("hnswlib takes dimensions 1 .. 100, not 101");
    assertThatThrownBy(() -> IndexSpec.of("hnswlib", 0, Metric.L2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("dimension must be at least 1, not 0");
  }

  private static IndexSpec faiss() {
    return IndexSpec.of("faiss", 3, Metric.L2);
  }

  @Test
  void defaultsAreFilledInForParametersThatApply() {
    assertThatThrownBy(() -> Panvec.create(faiss()))
        .isInstanceOf(UnsupportedOperationException.class);
    assertThat(created).isEqualTo(faiss().with("type", "flat"));
    assertThatThrownBy(() -> Panvec.create(faiss().with("type", "ivf")))
        .isInstanceOf(UnsupportedOperationException.class);
    assertThat(created).isEqualTo(faiss().with("type", "ivf").with("nlist", 8L));
  }

  @Test
  void aParameterBesideTheWrongValueIsRefusedSayingWhereItBelongs() {
    assertThatThrownBy(() -> Panvec.create(faiss().with("nlist", 5)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("faiss takes nlist only with type=ivf | ivf_pq, not with type=flat");
    assertThatThrownBy(
            () -> Panvec.capabilities(faiss().with("type", "ivf").with("keepVectors", "false")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("faiss takes keepVectors only with type=ivf_pq, not with type=ivf");
    assertThat(created).isNull();
  }

  @Test
  void capabilitiesOfASpecAreToldWhereNothingLoads() {
    assertThat(Panvec.capabilities(faiss().with("type", "ivf_pq")).codesOnly()).isFalse();
    IndexSpec codes = faiss().with("type", "ivf_pq").with("keepVectors", "false");
    assertThat(Panvec.capabilities(codes).codesOnly()).isTrue();
    assertThat(Panvec.capabilities(IndexSpec.of("hnswlib", 3, Metric.L2)).metrics())
        .containsExactlyInAnyOrder(Metric.L2, Metric.DOT);
    assertThatThrownBy(() -> Panvec.capabilities(faiss().with("type", "ivff")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("Did you mean \"ivf\"?");
    assertThatThrownBy(() -> Panvec.capabilities(IndexSpec.of("fais", 3, Metric.L2)))
        .isInstanceOf(UnknownBackendException.class);
  }

  @Test
  void whatABackendRefusesOfASpecIsRefusedBeforeItCreates() {
    assertThatThrownBy(() -> Panvec.create(faiss().with("type", "ivf").with("nlist", 13)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("13 brings bad luck");
    assertThat(created).isNull();
  }
}
