#pragma once
// One request, built once and sent to several actors; which of them still owe the answer; and what happens when one of
// them is replaced meanwhile.
#include "actors/step.hpp"
#include "messages/draft.hpp"
#include "model/error.hpp"
#include <caf/all.hpp>
#include <optional>
#include <string>
#include <vector>

namespace troupe {

/// The actors of one kind that somebody owns, by index. `Request` may change from round to round; there is at most one
/// round under way.
template <class Handle> class fan_out {
public:
  explicit fan_out(std::vector<std::string> paths) {
    for (auto& path : paths) members_.push_back({std::move(path), {}, false});
  }

  /// Sends `request` to every member. Members nobody knows yet get it when they appear.
  template <class Request> void ask_all(caf::local_actor* self, draft<Request> request) {
    static_assert(accepts<Handle, Request>, "the members have no handler for this request");
    request_ = std::move(request).seal();
    owed_ = members_.size();
    for (auto& member : members_) {
      member.owes = true;
      pass_on(self, member.handle, request_);
    }
  }

  /// Takes note of member `index`'s answer. False: it owes none, this is a repetition.
  bool settle(uint32_t index) {
    TROUPE_ASSERT(index < members_.size());
    if (!members_[index].owes) return false;
    members_[index].owes = false;
    if (--owed_ == 0) request_.reset();
    return true;
  }

  /// A member was (re)placed: it gets the request if it owes an answer, because its predecessor's mailbox is gone.
  /// False: `path` is none of ours.
  bool replace(caf::local_actor* self, const std::string& path, const caf::strong_actor_ptr& handle) {
    for (auto& member : members_) {
      if (member.path != path) continue;
      member.handle = caf::actor_cast<Handle>(handle);
      if (member.owes) pass_on(self, member.handle, request_);
      return true;
    }
    return false;
  }

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
    std::vector<actor_name> late;
    for (uint32_t i = 0; i < members_.size(); ++i)
      if (members_[i].owes) late.push_back(name(i));
    return late;
  }

private:
  struct place {
    std::string path;
    Handle handle;
    bool owes;
  };

  std::vector<place> members_;
  caf::message request_;
  size_t owed_ = 0;
};

} // namespace troupe
