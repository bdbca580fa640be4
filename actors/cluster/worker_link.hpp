#pragma once
#include "actors/cluster/worker_process.hpp"
#include "actors/interfaces/cluster_roles.hpp"
#include "actors/interfaces/log.hpp"
#include "actors/interfaces/supervision.hpp"
#include "actors/supervision/running_time.hpp"
#include <caf/all.hpp>
#include <functional>
#include <memory>
#include <string>

namespace troupe {

/// Connects to a worker at an address, and calls one of the two inside of `self`. See network.hpp; a simulation has its own.
using worker_connector = std::function<void(worker_link_actor::pointer self, const std::string& host, uint16_t port,
                                            std::function<void(const worker_actor&)> connected,
                                            std::function<void(const std::string& reason)> failed)>;

struct worker_link_config {
  std::string worker; // Its name in this cluster.
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::function<std::unique_ptr<worker_process>()> start = {}; // Null: it is somebody else's to start.
  worker_connector connect;
  std::string version;           // Of this program, for the text of a refusal.
  std::string arithmetic;        // Workers that compute otherwise are refused; empty: any.
  directory_actor directory;
  log_function log = {};
  caf::timespan tick = std::chrono::milliseconds(50);         // How often it looks, and pings.
  caf::timespan silence_max = std::chrono::milliseconds(350); // A worker that does not answer a ping for so long is lost.
  // The same for one that runs on this machine and was not stopped: it may just not have got a processor.
  caf::timespan starved_max = std::chrono::seconds(5);
  uint64_t pings_max = UINT64_MAX; // It does not look after that many, so that a simulation comes to rest.
  caf::timespan starting_max = std::chrono::seconds(60); // From the start of a process to its address.
  caf::timespan retry_first = std::chrono::milliseconds(50), retry_max = std::chrono::seconds(2); // Between two attempts.
};

/// A coordinator's link to one worker: starts its process, where that is its own to start; connects; greets; pings; and tells the cluster
/// when the worker is ready, and when it is lost, after which it begins again. A worker is lost when its process ends, when the
/// connection does (milliseconds after either), or when it does not answer (silence_max, of which only the time counts in which the threads
/// here had the processors).
///
/// Once a second it tells the cluster anew, with the time of a ping and its answer.
///
/// Retry     begins again after a growing time, for ever. A worker that refuses, or that may not take part, is asked again every retry_max.
/// Restart   ends the process that it started, if any, and starts another.
struct worker_link_state {
  static inline const char* name = "worker_link";
  enum class phase { idle, starting, connecting, greeting, ready };

  worker_link_config config;
  cluster_actor cluster;
  std::unique_ptr<worker_process> process;
  worker_actor worker;
  pulse_actor pulse;
  phase now = phase::idle;
  uint64_t attempt = 0; // Answers to an older one are dropped.
  caf::actor_clock::time_point since; // When this phase began,
  caf::actor_clock::time_point next_try; // and when the next begins, in phase idle.
  caf::timespan backoff{0};
  uint64_t pings = 0; // The number of the latest,
  caf::actor_clock::time_point pinged_at;
  bool owes_pong = false; // which is not answered yet,
  caf::timespan silent{0}; // for so long.
  running_time ran;
  bool is_ticking = true;
  v1::WorkerReady ready; // What was said to the cluster,
  caf::actor_clock::time_point told; // and when.
};

worker_link_actor::behavior_type worker_link(worker_link_actor::stateful_pointer<worker_link_state> self, worker_link_config config);

} // namespace troupe
