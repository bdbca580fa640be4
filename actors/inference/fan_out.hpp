#pragma once
// Fan-out of one request, built once and sent to several actors: which of them still owe the answer, and what happens when one
// of them is replaced meanwhile.
#include "actors/interfaces/step.hpp"
#include "messages/caf_message.hpp"
#include "messages/message_pool.hpp"
#include "model/error.hpp"
#include <caf/all.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

/// The members: all heads of a layer, or all shards of a layer or of the output, by index. A round is one request to all
/// members and their answers; there is at most one round under way. `Request` may differ from round to round.
template <class Handle> class fan_out {
public:
  explicit fan_out(std::vector<std::string> paths) {
    for (auto& path : paths) members_.push_back({std::move(path), {}, false});
  }

  /// Sends `request` to every member. Members that are not known yet get it when they appear.
  template <class Request> void ask_all(caf::local_actor* self, pooled_message<Request> request) {
    static_assert(accepts<Handle, Request>, "the members have no handler for this request");
    request_ = std::move(request).seal();
    owed_ = members_.size();
    for (auto& member : members_) {
      member.owes = true;
      pass_on(self, member.handle, request_);
    }
  }

  /// Member `index` has answered. False: it owes no answer, this is a repetition.
  bool settle(uint32_t index) {
    TROUPE_ASSERT(index < members_.size());
    if (!members_[index].owes) return false;
    members_[index].owes = false;
    if (--owed_ == 0) request_.reset();
    return true;
  }

  /// A member was started or replaced: it gets the request if it owes an answer, because its predecessor's mailbox is gone.
  /// False: no member has this path.
  bool replace(caf::local_actor* self, const std::string& path, const caf::strong_actor_ptr& handle) {
    for (auto& member : members_) {
      if (member.path != path) continue;
      member.handle = caf::actor_cast<Handle>(handle);
      if (member.owes) pass_on(self, member.handle, request_);
      return true;
    }
    return false;
  }

  /// Ends the round: no answer is owed any more.
  void abandon() {
    for (auto& member : members_) member.owes = false;
    owed_ = 0;
    request_.reset();
  }

  bool complete() const { return owed_ == 0; }
  size_t size() const { return members_.size(); }
  std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (auto& member : members_) all.push_back(member.path);
    return all;
  }
  actor_name name(uint32_t index) const {
    const auto& member = members_.at(index);
    return {member.path, member.handle ? member.handle->id() : 0};
  }
  std::vector<actor_name> owing() const {
    std::vector<actor_name> names;
    for (uint32_t i = 0; i < members_.size(); ++i)
      if (members_[i].owes) names.push_back(name(i));
    return names;
  }

private:
  struct member_state {
    std::string path;
    Handle handle;
    bool owes;
  };

  std::vector<member_state> members_;
  caf::message request_;
  size_t owed_ = 0;
};

} // namespace troupe
