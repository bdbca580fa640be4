#pragma once
// What messages each role handles: the typed handles by which actors address each other. A role is what an actor is there for
// (a layer, the scheduler); an actor that is restarted keeps its role and its path. Everything on the path of a token is
// one-way; which message answers which is said in messages/troupe/v1/*.proto.
#include "messages/caf_message.hpp"
#include "troupe/v1/attention.pb.h"
#include "troupe/v1/generation.pb.h"
#include "troupe/v1/projection.pb.h"
#include "troupe/v1/scheduling.pb.h"
#include "troupe/v1/scrub.pb.h"
#include "troupe/v1/step.pb.h"
#include "troupe/v1/supervision.pb.h"
#include <caf/all.hpp>

namespace troupe {

/// An actor that owns packed weights: an attention head or a projection shard.
using weight_owner = caf::typed_actor<caf::reacts_to<v1::VerifyWeights>, caf::reacts_to<v1::FlipOwnBit>>;

/// Answers to the AttendStep's sender.
using attention_head_actor = weight_owner::extend<caf::reacts_to<v1::AttendStep>>;

/// Answers to the ProjectStep's sender.
using projection_shard_actor = weight_owner::extend<caf::reacts_to<v1::ProjectStep>>;

/// See actors/supervision/scrubber.hpp.
using scrubber_actor = caf::typed_actor<caf::reacts_to<v1::ScrubTick>, caf::reacts_to<v1::WeightsVerified>,
                                       caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

/// A stage that takes hidden states.
using stage_actor = caf::typed_actor<caf::reacts_to<v1::HiddenStates>, caf::reacts_to<v1::ReportProgress>>;

using layer_actor =
  stage_actor::extend<caf::reacts_to<v1::AttendResult>, caf::reacts_to<v1::ProjectResult>,
                      caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

using output_actor = stage_actor::extend<caf::reacts_to<v1::ProjectResult>,
                                         caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

/// Begins a step; behind an encoder it also goes on with one.
using embedding_actor =
  stage_actor::extend<caf::reacts_to<v1::ForwardStep>, caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

using scheduler_actor =
  caf::typed_actor<caf::reacts_to<v1::JoinBatch>, caf::reacts_to<v1::AppendToken>, caf::reacts_to<v1::LeaveBatch>,
                   caf::reacts_to<v1::LogitsResult>, caf::reacts_to<v1::HiddenStates>, caf::reacts_to<v1::StepFault>,
                   caf::reacts_to<v1::StepProgress>, caf::reacts_to<v1::SchedulerTick>,
                   caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>, caf::reacts_to<v1::CheckLiveness>,
                   caf::replies_to<v1::GetSchedulerStats>::with<v1::SchedulerStats>>;

using sequence_actor =
  caf::typed_actor<caf::reacts_to<v1::LogitsResult>, caf::reacts_to<v1::HiddenStates>, caf::reacts_to<v1::FailSequence>,
                   caf::reacts_to<v1::PrefixReused>, caf::reacts_to<v1::SequenceTick>, caf::reacts_to<v1::CancelRequest>,
                   caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>, caf::reacts_to<v1::CheckLiveness>>;

/// Where a request's events go.
using client_actor =
  caf::typed_actor<caf::reacts_to<v1::GenerateQueued>, caf::reacts_to<v1::GenerateAccepted, caf::strong_actor_ptr>,
                   caf::reacts_to<v1::TokenEvent>, caf::reacts_to<v1::LogitsRows>, caf::reacts_to<v1::HiddenRows>,
                   caf::reacts_to<v1::GenerateEnd>>;

} // namespace troupe
