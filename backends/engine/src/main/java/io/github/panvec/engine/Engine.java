package io.github.panvec.engine;

import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import java.util.function.Supplier;

/**
 * What a {@link ManagedIndex} is made from.
 *
 * @param spec with every parameter
 * @param capabilities of an index of this spec
 * @param backendVersion upstream version of the backend, for snapshots
 * @param newSlots makes an empty slot index; asked at the start, and for every compaction
 * @param threads how many threads writing a batch, searching for one, or a compaction that was
 *     asked for may use, that of its caller among them; all calls together start no more beside
 *     their callers' than one of them may
 * @param compactAt percent of dead slots at which it compacts by itself, 0: never
 */
public record Engine(
    IndexSpec spec,
    Capabilities capabilities,
    String backendVersion,
    Supplier<SlotIndex> newSlots,
    int threads,
    long compactAt) {}
