#pragma once
// What messages the roles of a training run handle. Who sends what to whom: messages/troupe/v1/training.proto.
#include "messages/caf_message.hpp"
#include "troupe/v1/step.pb.h"
#include "troupe/v1/supervision.pb.h"
#include "troupe/v1/training.pb.h"
#include <caf/all.hpp>

namespace troupe {

/// Everybody who has parameters.
using parameter_owner_actor =
  caf::typed_actor<caf::reacts_to<v1::BeginStep, caf::strong_actor_ptr>, caf::reacts_to<v1::ParameterState>,
                   caf::reacts_to<v1::CopyValues>, caf::reacts_to<v1::CollectGradients>, caf::reacts_to<v1::CopyGradient>,
                   caf::reacts_to<v1::UpdateWeights>, caf::reacts_to<v1::ReportProgress>,
                   caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

using training_head_actor = parameter_owner_actor::extend<caf::reacts_to<v1::HeadPass>>;
using training_shard_actor = parameter_owner_actor::extend<caf::reacts_to<v1::ShardPass>>;
using training_output_shard_actor = training_shard_actor::extend<caf::reacts_to<v1::SumLogits>>;

/// Stages, by what they take from the stage before and from the one after.
using forward_stage_actor = caf::typed_actor<caf::reacts_to<v1::ForwardStates>>;
using backward_stage_actor = caf::typed_actor<caf::reacts_to<v1::BackwardStates>>;

using training_layer_actor =
  parameter_owner_actor::extend<caf::reacts_to<v1::ForwardStates>, caf::reacts_to<v1::BackwardStates>,
                                caf::reacts_to<v1::HeadPassResult>, caf::reacts_to<v1::ShardPassResult>>;
using training_output_actor = parameter_owner_actor::extend<caf::reacts_to<v1::ForwardStates>, caf::reacts_to<v1::LogitSums>,
                                                            caf::reacts_to<v1::ShardPassResult>>;
using training_embedding_actor =
  parameter_owner_actor::extend<caf::reacts_to<v1::ForwardBatch>, caf::reacts_to<v1::ForwardStates>, caf::reacts_to<v1::BackwardStates>>;

using loader_actor = caf::typed_actor<caf::reacts_to<v1::FetchBatch>, caf::reacts_to<v1::CheckLiveness>>;

using trainer_actor =
  caf::typed_actor<caf::reacts_to<v1::RunStep, caf::strong_actor_ptr>, caf::reacts_to<v1::TrainingBatch>,
                   caf::reacts_to<v1::OwnerReady>, caf::reacts_to<v1::BatchLoss>, caf::reacts_to<v1::BatchDone>,
                   caf::reacts_to<v1::GradientSquares>, caf::reacts_to<v1::OwnerUpdated>, caf::reacts_to<v1::StepFault>,
                   caf::reacts_to<v1::StepProgress>, caf::reacts_to<v1::TrainerTick>, caf::reacts_to<v1::CheckLiveness>,
                   caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

/// What a training run's client takes: reports from the trainer, states and questions for them from the owners.
using training_client_actor = caf::typed_actor<caf::reacts_to<v1::StepReport>, caf::reacts_to<v1::ParameterState>,
                                              caf::reacts_to<v1::FetchState>>;

} // namespace troupe
