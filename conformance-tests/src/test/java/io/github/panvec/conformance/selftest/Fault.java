package io.github.panvec.conformance.selftest;

/**
 * What can be wrong with the toy, and the test of the suite that has to notice. Not a parameter of
 * the toy: the suite would run them all.
 */
enum Fault {
  // Distances
  DOT_WITHOUT_THE_MINUS("DistanceTest#reportedDistancesOfAPlainSearchAreTheReferences"),
  L2_SQUARED("DistanceTest#reportedDistancesOfAPlainSearchAreTheReferences"),
  COSINE_NOT_CLAMPED("DistanceTest#parallelAndOppositeRowsAreNoNearerThanZeroAndNoFartherThanTwo"),
  FLOAT_PASS_DECIDES("DistanceTest#theNearestOfManyNearTiesAreThoseOfTheReference"),
  FLOAT_ACCUMULATORS("DistanceTest#reportedDistancesOfAPlainSearchAreTheReferences"),
  ONE_ACCUMULATOR("DistanceTest#sumsAreAddedInTheOrderOfTheContract"),
  LANES_ADDED_LEFT_TO_RIGHT("DistanceTest#sumsAreAddedInTheOrderOfTheContract"),
  NEGATIVE_ZERO_AS_DISTANCE("DistanceTest#anInnerProductTooSmallForAFloatIsPositiveZero"),
  BATCHES_FROM_TWENTY_BY_ANOTHER_FORMULA("BatchTest#aBatchOfQueriesIsAnsweredAsOneByOne"),

  // Hits
  K_MINUS_ONE_HITS("SearchTest#fewerThanKHitsComeOnlyWhenFewerAreLive"),
  K_PLUS_ONE_HITS("DistanceTest#reportedDistancesOfAPlainSearchAreTheReferences"),
  PADDED_WITH_MINUS_ONE("SearchTest#fewerThanKHitsComeOnlyWhenFewerAreLive"),
  PADDED_WITH_THE_LAST_HIT("SearchTest#fewerThanKHitsComeOnlyWhenFewerAreLive"),
  K_UP_TO_4096("SearchTest#kMayExceedFourThousandNinetySix"),
  UNSORTED_HITS("DistanceTest#reportedDistancesOfAPlainSearchAreTheReferences"),
  TIES_AT_RANDOM("DistanceTest#theBestOfManyTiesAreTheSmallestIds"),
  TIES_BY_INSERTION("DistanceTest#equalDistancesComeInOrderOfIds"),
  ONE_ROW_IN_A_THOUSAND_LOST("SearchTest#kMayExceedFourThousandNinetySix"),
  PLAIN_SEARCH_MISSES_THE_NEAREST("IdTest#idsThatWereReplacedTenTimesAreFoundByTheirLastVector"),
  BATCH_ROWS_SWAPPED("BatchTest#aBatchOfQueriesIsAnsweredAsOneByOne"),
  BUFFER_KEEPS_ITS_COUNT("SearchTest#aReusedBufferHoldsTheHitsOfItsLastSearch"),

  // Filters
  FILTER_IGNORED("FilterTest#filteredSearchReturnsEveryMatchAtAnySelectivity"),
  FILTER_OF_THE_PREVIOUS_CALL("FilterTest#oneFilteredIdAmongManyIsFound"),
  FILTERED_AFTER_THE_FIRST_K("FilterTest#filteredSearchReturnsEveryMatchAtAnySelectivity"),
  FILTERED_FARTHEST_FIRST("FilterTest#filteredSearchReturnsEveryMatchAtAnySelectivity"),
  COMPLEMENTS_FORGOTTEN("FilterKindTest#rangesComplementsUnionsIntersectionsAndPredicatesFilter"),
  PREPARED_FILTERS_FROZEN("FilterKindTest#aPreparedFilterOutlivesWritesAndCompaction"),
  PREDICATE_FAILURES_SWALLOWED(
      "FilterKindTest#whatAPredicateThrowsReachesTheCallerAndChangesNothing"),
  PREDICATE_ASKED_TWICE("FilterKindTest#aSearchAsksAPredicateOnceForEachLiveIdOnItsOwnThread"),
  RANGE_WITHOUT_ITS_END("RangeTest#aRangeHasEverythingWithinTheRadiusAndNothingElse"),
  RANGE_NEVER_TRUNCATED("RangeTest#aLimitKeepsTheNearestAndSaysSo"),
  ANY_RADIUS_TAKEN("RangeTest#aRadiusThatIsNoDistanceIsRefused"),

  // Ids and writes
  ALL_REMOVALS_COUNTED("ManyRowsTest#removingManyCountsThoseThatWereLive"),
  IDS_UNSORTED("ManyRowsTest#idsAreThoseThatAreLiveAscending"),
  LAST_OF_TWO_IN_A_BATCH_WINS("ManyRowsTest#aBatchOfUpsertsReplacesAndAddsAllOrNothing"),
  GET_ALL_LEAVES_OUT_WHAT_IS_NOT_LIVE("ManyRowsTest#getAllIsGetForEachId"),
  LISTENER_HEARS_NO_END("ManyRowsTest#aListenerHearsHowFarABatchIsOnTheCallersThread"),
  LISTENER_HEARS_LATE("ManyRowsTest#whatAListenerThrowsReachesTheCallerAndNothingIsAdded"),
  IDS_AS_INT("IdTest#anyLongIsAnId"),
  MINUS_ONE_RESERVED("IdTest#anyLongIsAnId"),
  DUPLICATE_OVERWRITES("IdTest#aLiveIdIsRefusedAndNothingOfItsBatchIsAdded"),
  HALF_A_BATCH_ADDED("IdTest#aLiveIdIsRefusedAndNothingOfItsBatchIsAdded"),
  WRONG_ROW_NAMED("InputTest#nonFiniteComponentsAreRefusedNamingRowAndComponent"),
  SIZE_GROWS_WITH_UPSERT("IdTest#upsertReplacesAndAdds"),
  REMOVE_FORGOTTEN("IdTest#aRemovedIdIsNotFoundAndCanBeAddedAgain"),
  REMOVE_ALWAYS_TRUE("IdTest#aRemovedIdIsNotFoundAndCanBeAddedAgain"),
  REMOVED_IS_CONTAINED("IdTest#anyLongIsAnId"),
  ROW_LOST_BY_COMPACTION("CompactTest#afterACompactionNothingIsDeadAndEveryAnswerIsTheSame"),
  COMPACTION_LOCKS_ALL_OUT("CompactTest#readsAndWritesGoOnBesideIt"),
  DEAD_ROW_AFTER_COMPACTION("IdTest#everythingCanBeRemovedAndAddedAgain"),
  SEARCH_BEFORE_THE_LAST_WRITE("IdTest#aRemovedIdIsNotFoundAndCanBeAddedAgain"),
  STATS_COUNT_DEAD_ROWS("SearchTest#statsCountLiveRows"),

  // Vectors
  NAN_ACCEPTED("InputTest#nonFiniteComponentsAreRefusedNamingRowAndComponent"),
  INFINITE_QUERY_ACCEPTED("InputTest#nonFiniteComponentsAreRefusedNamingRowAndComponent"),
  ZERO_ACCEPTED_UNDER_COSINE("InputTest#theZeroVectorHasNoCosine"),
  NOT_NORMALISED("DistanceTest#storedVectorsAreReturnedBitForBit"),
  NORMALISED_IN_PLACE("DistanceTest#inputIsNeverModified"),
  NATIVE_INPUT_NORMALISED_IN_PLACE("DistanceTest#nativeInputIsNeverModified"),
  GET_ROUNDED("DistanceTest#storedVectorsAreReturnedBitForBit"),
  GET_RETURNS_THE_STORED_ARRAY("InputTest#vectorsAreCopiedOnTheWayInAndOut"),
  ARRAY_OF_THE_CALLER_STORED("InputTest#vectorsAreCopiedOnTheWayInAndOut"),
  NEGATIVE_ZEROS_LOST("DistanceTest#negativeZerosAndDenormalsKeepTheirBits"),
  DENORMALS_FLUSHED("DistanceTest#negativeZerosAndDenormalsKeepTheirBits"),
  NATIVE_SEGMENTS_IN_OTHER_BYTE_ORDER("DistanceTest#heapArraysAndSegmentsAreTakenAlike"),
  DIMENSION_8192_REFUSED("DistanceTest#storedVectorsAreReturnedBitForBit"),
  LEARNS_AGAIN("TrainingTest#trainingWhenRowsAreThereChangesNoExactAnswer"),
  SAMPLE_ADDED("TrainingTest#trainingBeforeTheFirstRowChangesNoExactAnswer"),

  // Errors and specs
  ANOTHER_EXCEPTION("ErrorTest#aRefusalHasItsTypeAndWordsAndChangesNothing"),
  BAD_QUERY_OF_A_BATCH_NOT_NAMED("BatchTest#aBadQueryOfABatchIsNamed"),
  REFUSED_WITH_ANOTHER_NUMBER("ErrorTest#aRefusalHasItsTypeAndWordsAndChangesNothing"),
  NULL_SAMPLE_TAKEN("ErrorTest#aRefusalHasItsTypeAndWordsAndChangesNothing"),
  KEPT_CLAIM_LISTED_AS_NOT_SUPPORTED("IdTest#everythingCanBeRemovedAndAddedAgain"),
  SPEC_WITHOUT_DEFAULTS("SpecTest#theSpecOfAnIndexHasEveryDefault"),

  // Threads, time and lifetime
  UPSERTS_ROW_BY_ROW("HistoryTest#everyReaderSeesStatesOfOneLine"),
  GET_ALL_ROW_BY_ROW("HistoryTest#everyReaderSeesStatesOfOneLine"),
  IDS_OF_TWO_STATES("HistoryTest#everyReaderSeesStatesOfOneLine"),
  BATCH_OF_QUERIES_ONE_BY_ONE("HistoryTest#everyReaderSeesStatesOfOneLine"),
  READS_OF_AN_OLD_STATE("HistoryTest#everyReaderSeesStatesOfOneLine"),
  LIMITS_OF_SEARCHES_IGNORED("LimitsTest#aDeadlineInThePastEndsEveryCallAtOnceAndChangesNothing"),
  LIMITS_OF_SEARCHES_CHECKED_ON_ENTRY_ONLY("LimitsTest#aSearchThatIsCancelledOnItsWayEnds"),
  LIMITS_OF_WRITES_CHECKED_ON_ENTRY_ONLY("LimitsTest#aBuildThatIsCancelledOnItsWayAddsNothing"),
  LIMITS_OF_WRITES_IGNORED("LimitsTest#aCancelledCallEndsAtOnceAndChangesNothing"),
  UPSERT_IN_TWO_HALVES("ThreadTest#aReaderSeesTheOldOrTheNewVectorOfAnUpsertNeverNeither"),
  RETURNED_ADDS_LATE("ThreadTest#searchesSeeEveryRowWhoseAddReturned"),
  UPSERT_REMOVES_FIRST("ThreadTest#aReaderSeesTheOldOrTheNewVectorOfAnUpsertNeverNeither"),
  BATCH_ADDED_ROW_BY_ROW("ThreadTest#aReaderSeesABatchAsAWholeOrNotAtAll"),
  DUPLICATES_SOUGHT_BEFORE_THE_LOCK("IdTest#oneOfManyConcurrentAddsOfAnIdWins"),
  SEARCH_TAKES_NO_LOCK("ThreadTest#searchesReadTheRightIdsWhileTheIndexGrows"),
  CLOSE_DOES_NOT_WAIT("LifetimeTest#closeReturnsWhenABatchInFlightIsAnswered"),
  BATCH_ON_ANOTHER_THREAD_NOT_WAITED_FOR("LifetimeTest#closeReturnsWhenABatchInFlightIsAnswered"),
  READS_AFTER_CLOSE("LifetimeTest#closeWaitsForSearchesAndLaterCallsAreRefused"),
  DENORMALS_FLUSHED_ON_THE_THREAD(
      "LifetimeTest#arithmeticIsJavasOnTheThreadThatUsesAnIndexAndOnOthers"),
  USE_AFTER_CLOSE("LifetimeTest#everyCallOnAClosedIndexIsRefused"),
  SECOND_CLOSE_REFUSED("LifetimeTest#everyCallOnAClosedIndexIsRefused");

  private static volatile Fault present;

  /** Class and method, as {@code IdTest#anyLongIsAnId}. */
  final String caughtBy;

  Fault(String caughtBy) {
    this.caughtBy = caughtBy;
  }

  /** Whether the toy has it now. */
  boolean isPresent() {
    return present == this;
  }

  /** Runs with it. */
  <T> T during(java.util.function.Supplier<T> run) {
    present = this;
    try {
      return run.get();
    } finally {
      present = null;
    }
  }
}
