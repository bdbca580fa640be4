#pragma once
// What messages the actors of a cluster handle: their typed handles. Who sends what to whom is said in
// messages/troupe/v1/cluster.proto.
#include "actors/interfaces/roles.hpp"
#include "troupe/v1/cluster.pb.h"

namespace troupe {

/// Answers at once whatever its worker does.
using pulse_actor = caf::typed_actor<caf::reacts_to<v1::NodePing>>;

/// What a worker is known by at its coordinators.
using worker_actor =
  caf::typed_actor<caf::reacts_to<v1::Greeting, caf::strong_actor_ptr>, caf::reacts_to<v1::Placement, caf::strong_actor_ptr>,
                   caf::reacts_to<v1::PreloadLayers>>;

/// A coordinator's link to one worker.
using worker_link_actor =
  caf::typed_actor<caf::reacts_to<v1::WorkerFacts, caf::strong_actor_ptr>, caf::reacts_to<v1::WorkerRefusal>,
                   caf::reacts_to<v1::NodePong>, caf::reacts_to<v1::ClusterTick>, caf::reacts_to<v1::CheckLiveness>,
                   caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

using cluster_actor =
  caf::typed_actor<caf::reacts_to<v1::WorkerReady, caf::strong_actor_ptr>, caf::reacts_to<v1::WorkerLost>,
                   caf::reacts_to<v1::FindPlacement, caf::strong_actor_ptr>, caf::reacts_to<v1::PlacementEnded>,
                   caf::reacts_to<v1::DrainWorker>, caf::reacts_to<v1::ClusterTick>, caf::reacts_to<v1::CheckLiveness>,
                   caf::replies_to<v1::GetClusterFacts>::with<v1::ClusterFacts>>;

/// A stage whose layers are in a worker. AbandonActor: of an actor there.
using remote_layers_actor =
  stage_actor::extend<caf::reacts_to<v1::Placement, caf::strong_actor_ptr>,
                      caf::reacts_to<v1::LayersPlaced, caf::strong_actor_ptr>, caf::reacts_to<v1::PlacementRefused>,
                      caf::reacts_to<v1::LayerAnswer>, caf::reacts_to<v1::AbandonActor>, caf::reacts_to<v1::ClusterTick>,
                      caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

/// In a worker: the scheduler, the stage before and the stage behind of a placement's layers.
using layer_host_actor =
  stage_actor::extend<caf::reacts_to<v1::StepFault>, caf::reacts_to<v1::StepProgress>, caf::reacts_to<v1::AbandonActor>,
                      caf::reacts_to<v1::ActorStarted, caf::strong_actor_ptr>>;

} // namespace troupe
