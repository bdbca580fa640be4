#pragma once
// The one list of all message types. Registration for the wire and the tests go through it; a test fails when a message
// of the schemas is missing here. Expensive to include: to handle some messages, their .pb.h is enough.
#include "troupe/v1/attention.pb.h"
#include "troupe/v1/cluster.pb.h"
#include "troupe/v1/faults.pb.h"
#include "troupe/v1/generation.pb.h"
#include "troupe/v1/journal.pb.h"
#include "troupe/v1/projection.pb.h"
#include "troupe/v1/scheduling.pb.h"
#include "troupe/v1/scrub.pb.h"
#include "troupe/v1/step.pb.h"
#include "troupe/v1/supervision.pb.h"
#include "troupe/v1/training.pb.h"

#include <caf/fwd.hpp>

/// Calls X(name) for every message of package troupe.v1, those too that only travel inside others.
// clang-format off
#define TROUPE_MESSAGE_TYPES(X) \
  /* step.proto */ \
  X(StepPlan) X(StepTimes) X(ForwardStep) X(HiddenStates) X(LogitsResult) X(CacheMiss) X(StepFault) \
  X(ReportProgress) X(ActorName) X(StepProgress) \
  /* attention.proto */ \
  X(AttendStep) X(AttendResult) \
  /* projection.proto */ \
  X(ProjectStep) X(ProjectResult) \
  /* generation.proto */ \
  X(SamplingOptions) X(BeamSearch) X(TokenRules) X(Hypothesis) X(Constraint) X(TokenLogprob) \
  X(GenerateRequest) X(GenerateQueued) X(GenerateAccepted) X(TokenEvent) X(HiddenRows) X(LogitsRows) \
  X(GenerateEnd) X(CancelRequest) X(ClientTick) \
  /* journal.proto */ \
  X(JournalRequest) X(JournalToken) X(JournalEnd) X(JournalEvent) X(JournalBatch) X(JournalRefusal) X(JournalCommitted) \
  X(JournalQuery) X(JournalFound) \
  /* scheduling.proto */ \
  X(JoinBatch) X(AppendToken) X(LeaveBatch) X(FailSequence) X(SchedulerTick) X(GetSchedulerStats) \
  X(StepTotals) X(QueueTimes) X(SchedulerStats) X(PrefixReused) X(SequenceTick) \
  /* supervision.proto */ \
  X(ActorStarted) X(Subscribe) X(AbandonActor) X(SupervisorDecision) X(ListActors) X(ActorList) \
  X(SupervisorTick) X(FindDirectory) X(CheckLiveness) X(LivenessReply) \
  /* scrub.proto */ \
  X(VerifyWeights) X(WeightsVerified) X(ScrubTick) X(FlipOwnBit) \
  /* cluster.proto */ \
  X(Greeting) X(WorkerFacts) X(WorkerRefusal) X(NodePing) X(NodePong) X(WorkerReady) X(WorkerLost) X(LayerRange) X(SegmentName) \
  X(FindPlacement) X(PlacementEnded) X(Placement) X(ModelUse) X(PreloadLayers) X(LayersPlaced) X(PlacementRefused) \
  X(LayerAnswer) X(ClusterTick) X(GetClusterFacts) X(ClusterFacts) X(WorkerStatus) X(DrainWorker) \
  /* training.proto */ \
  X(BeginStep) X(OwnerReady) X(MicroBatch) X(Dropout) X(ForwardBatch) X(ForwardStates) X(BackwardStates) X(HeadPass) \
  X(HeadPassResult) X(ShardPass) X(ShardPassResult) X(SumLogits) X(LogitSums) X(BatchLoss) X(BatchDone) X(TensorSlice) \
  X(CollectGradients) X(CopyGradient) X(CopyValues) X(ParameterValues) X(GradientSquares) X(UpdateWeights) X(OwnerUpdated) \
  X(ParameterState) X(SliceState) X(FetchState) X(BatchName) X(FetchBatch) X(TrainingBatch) X(RunStep) X(StepReport) \
  X(TrainerTick) \
  /* faults.proto */ \
  X(FaultPlan) X(Fault) X(Selector) X(Trigger) X(Effect) X(Throw) X(Exit) X(Kill) X(Hang) X(SlowDown) \
  X(AllocationFailure) X(FlipCacheBit) X(FlipWeightBit) X(Delay) X(Drop) X(Duplicate) X(Reorder) X(AnswerLate) \
  X(NotANumber) X(Infinite) X(FlipBit) X(WrongShape) X(StaleHandle) X(Flood) X(ClockJump) X(SteadyState) X(Probe) \
  X(GetFaultLog) X(StopFaults) X(UseFaultInjector) X(FaultInjection) X(ActorIncarnation) X(FaultLog)
// clang-format on

namespace troupe {

/// Registers all messages with an actor system, so that it can receive them from other processes, under their full protobuf
/// names ("troupe.v1.HiddenStates"): a peer that was built from another version of troupe uses the same names.
/// Call it before the actor system is created. Inside one process nothing needs it.
void register_messages(caf::actor_system_config& config);

} // namespace troupe
