package io.github.panvec.bench;

import io.github.panvec.Panvec;
import io.github.panvec.UnknownBackendException;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What it takes to have a snapshot open as a view, of whose files the sizes alone were verified.
 *
 * @param openMillis from the call to the index that can be searched, in a process that has opened
 *     it before
 * @param firstMillis the same for the first time, when the JVM loads its classes too; the backend's
 *     library has been loaded before
 * @param nativeBytes native memory that it says it holds
 * @param residentBytes by how much the process's own memory grew; null where it is not known
 * @param residentFileBytes by how much its resident pages of files grew; null likewise
 */
record ViewCost(
    double openMillis,
    double firstMillis,
    long nativeBytes,
    @Nullable Long residentBytes,
    @Nullable Long residentFileBytes) {

  /**
   * Opens it twice. The first view stays open meanwhile, so that what the second one takes is
   * neither the JVM's own nor memory that the first one gave back.
   */
  static ViewCost of(GivenSnapshot snapshot) {
    try {
      Panvec.backend(snapshot.manifest().backend()).availability();
    } catch (UnknownBackendException unknown) {
      throw new InputException(unknown.getMessage(), unknown);
    }
    long began = System.nanoTime();
    try (VectorIndex first = snapshot.view(Verify.SIZES)) {
      double firstMillis = (System.nanoTime() - began) / 1e6;
      first.stats();
      return second(snapshot, firstMillis);
    }
  }

  private static ViewCost second(GivenSnapshot snapshot, double firstMillis) {
    Optional<ResidentMemory> before = ResidentMemory.now();
    long began = System.nanoTime();
    try (VectorIndex index = snapshot.view(Verify.SIZES)) {
      double openMillis = (System.nanoTime() - began) / 1e6;
      Optional<ResidentMemory> after = ResidentMemory.now();
      boolean known = before.isPresent() && after.isPresent();
      return new ViewCost(
          openMillis,
          firstMillis,
          index.stats().nativeBytes(),
          known ? after.get().anonymousBytes() - before.get().anonymousBytes() : null,
          known ? after.get().fileBytes() - before.get().fileBytes() : null);
    }
  }
}
