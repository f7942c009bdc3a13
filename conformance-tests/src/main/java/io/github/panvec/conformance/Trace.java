package io.github.panvec.conformance;

import io.github.panvec.Metric;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Optional;

/** Operations to make on a new index, one after another. */
record Trace(Metric metric, int dimension, List<Operation> operations) {

  Trace {
    operations = List.copyOf(operations);
  }

  /** Makes new indexes to run traces on. */
  interface Factory {
    /** A new, empty index, to be closed by the caller. */
    VectorIndex create(int dimension, Metric metric);
  }

  /**
   * Where index and model went apart.
   *
   * @param trace what was run, up to the call that was answered wrongly, which is the last
   * @param refused which of its operations were refused, as they had to be
   */
  record Failure(Trace trace, BitSet refused, String expected, String came) {}

  /** Runs it on a new index beside a new model; empty when they agree to the end and after. */
  Optional<Failure> run(Factory factory) {
    List<Operation> done = new ArrayList<>();
    BitSet refused = new BitSet();
    try (VectorIndex index = factory.create(dimension, metric)) {
      Model model = new Model(metric, dimension, index.capabilities());
      for (Operation operation : operations) {
        done.add(operation);
        if (!model.check(index, operation)) {
          refused.set(done.size() - 1);
        }
        for (Operation probe : model.probes(operation)) {
          done.add(probe);
          model.check(index, probe);
          done.remove(done.size() - 1);
        }
      }
      for (Operation read : model.lastLook()) {
        done.add(read);
        model.check(index, read);
        done.remove(done.size() - 1);
      }
      return Optional.empty();
    } catch (Mismatch mismatch) {
      Trace until = with(done);
      return Optional.of(new Failure(until, refused, mismatch.expected(), mismatch.came()));
    }
  }

  Trace with(List<Operation> others) {
    return new Trace(metric, dimension, others);
  }

  /**
   * How much code it takes, small numbers counting as less than large ones of as many digits: what
   * shrinking makes less.
   */
  long cost() {
    long perCharacter = 1000;
    return dimension * perCharacter
        + operations.stream()
            .flatMapToInt(operation -> (operation.toJava() + ";").chars())
            .mapToLong(character -> perCharacter + character)
            .sum();
  }
}
