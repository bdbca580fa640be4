#pragma once
// Which sequences run in the next step: continuous batching with chunked prefill (Orca, Yu et al. 2022; Sarathi, Agrawal et al.
// 2023), fairness between tenants (Sheng et al. 2024), a memory budget with preemption, and what a fault means for the sequences in
// the step. Pure code: no actor, clock or message.
//
// Cost: that of a step is O((r + t) log n) for n sequences of which r are running, of t tenants; that of everything else O(log n) for
// each sequence it is about. What waits costs nothing: all orders are kept, none is made anew.
//
// A step is one forward pass of a batch of rows; a row is one token of one sequence; a slice is the rows of one sequence in a
// step, at consecutive positions. A replay is a row that was computed before and is computed again, because its keys and values
// were lost with an actor, evicted, or preempted.
#include "actors/scheduling/prefix_index.hpp"
#include "actors/scheduling/step_times.hpp"
#include "actors/scheduling/tenant_accounts.hpp"
#include "actors/scheduling/time_allowance.hpp"
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace troupe {

struct batch_limits {
  uint32_t step_rows_max = 512;      // Rows of a step.
  uint32_t prefill_chunk = 512;      // Rows of one sequence in a step.
  uint32_t logits_rows_max = 512;    // Rows that want logits in a step: bounds the size of its result.
  uint64_t cache_positions_max = 0;  // Positions of all sequences and their sources together; at least one full context. What
                                     // forks share counts for each of them: heads count so, and what one no more shares would be
                                     // too much at once.
  uint32_t prefix_block = 0;         // Of how many tokens in a row another sequence's are reused, at the beginning; 0: never.
  double slowdown_by_tenants = 1.3;    // How many times as long steps may take for rows of tenants that were served more, and
  double slowdown_by_priorities = 1.1; // for rows of lower priorities. Not above 1: there is no limit.
  double step_time_max_ns = 0;         // What a step with decoding rows is to take at most for the sake of prefill; 0: no limit.
  bool whole_sequences = false;      // Rows see later rows: a slice is always a whole sequence, whatever the limits above.
};

/// What a sequence sends when it joins.
struct joining_sequence {
  uint64_t id = 0;
  std::vector<uint32_t> tokens; // Its token log, at least one.
  std::vector<uint32_t> segments = {}; // Of the tokens; or empty.
  std::vector<uint32_t> source = {};   // For an encoder; or empty.
  std::vector<float> features = {};    // Of an image, of whose rows the tokens are; of a sound, of whose rows the source is; or empty.
  uint32_t cached = 0;          // Positions that the heads' key/value caches probably hold.
  uint32_t logits_from = 0;     // First position whose logits it wants.
  bool wants_hidden_states = false;
  int32_t priority = 0;
  uint64_t group = 0;       // What is computed side by side for one request; 0: nothing else.
  uint64_t forked_from = 0; // The member of the group that it continues; 0: none.
  std::string tenant = {};  // Whose it is; empty: nobody's in particular.
  double tenant_weight = 0; // See tenant_account. 0: 1.
};

struct planned_slice {
  uint64_t sequence = 0;
  uint32_t position = 0, rows = 0, logits_rows = 0;
  uint64_t forked_from = 0; // Its first `position` positions, and its source, are in the caches of this sequence; 0: in its own.
  bool operator==(const planned_slice&) const = default;
};

/// A sequence that begins behind positions that heads hold of another one, from which it is forked for that.
struct prefix_reuse {
  uint64_t sequence = 0;
  uint32_t positions = 0;
  bool is_first = false; // None of its rows has been computed before.
  bool operator==(const prefix_reuse&) const = default;
};

struct planned_step {
  std::vector<planned_slice> slices;
  std::vector<uint32_t> tokens;       // [rows]
  std::vector<uint32_t> segments;     // [rows]; or empty
  std::vector<std::pair<uint64_t, uint32_t>> sources; // Sequences whose source passes the encoder, and how many rows it has.
  std::vector<uint32_t> source_tokens; // [rows of all sources]
  std::vector<float> features;         // Of the slices' images, or of the sources' sounds, one after the other.
  std::vector<uint64_t> released;     // Sequences whose caches are to be dropped.
  std::vector<prefix_reuse> reused;
  bool observe_hidden_states = false;
  bool lacks_memory = false;           // It could not be formed: it has failed, for lack of memory.
  uint64_t rows() const { return tokens.size() + source_tokens.size(); }
  uint64_t decode_rows = 0;           // Slices that are a sequence's one newest token.
  bool has_prefill = false;           // Some slice does more than its sequence's one newest token.
};

/// Of one replica. Rules.
/// - A sequence is ready when it has tokens whose positions are not cached, and does not owe its next token.
/// - A sequence is running when it has cached positions, else waiting.
/// - Who comes first: in every step the ready sequences of the highest priority. Among them the tenant goes first that was served
///   least (tenant_account: a decode row costs 2, any other 1), slice by slice. Where rows are short, tenants with work for all their
///   share are served in the ratio of their weights. A tenant was served too much when its counter is more than counter_slack above
///   that of one that has rows in the step.
/// - Who comes second: rows of tenants that were served too much, and after them rows of lower priorities. They may make steps take
///   slowdown_by_tenants times as long as the rows before them alone, and slowdown_by_priorities times (time_allowance), by what
///   steps have taken so far (step_times). So a request of a higher priority, or of a tenant that asks for little, hardly notices the
///   others. Those lose throughput meanwhile, because small steps are less efficient; tenants that all ask for their share or more
///   lose little, since then none is served too much for long. Without rows before them there is no limit. Neither is left out of
///   more than 64 steps in a row in which the first rows left room: then one of its sequences gets its turn, for as long as the first
///   rows take; a lower priority before all others, and however full the step would be. If the first rows had to wait for a step of
///   second ones that was under way when they came, second ones pay for that.
/// - Order of service within a tenant, and among lower priorities: the one served longest ago comes first, where a sequence that came new
///   counts as served when it came. Before that comparison 64 steps are added for longer slices (prefill), so that one-row slices
///   (decode) go before them, and 64 are taken off for each unit of priority. So what is left out rises steadily, and no ready
///   sequence is left out for ever. Among equals the higher priority goes first, then the one that came first. This order does not
///   change while a sequence waits.
/// - Prefill in a step with decoding rows of its priority: as many rows as make it take step_time_max_ns by what steps have taken so
///   far; or, where the decoding rows take more than half of that, twice as long as these; and at least one row. Decoding rows of
///   lower priorities do not count. A source, which cannot be cut, is not limited.
/// - Memory: a sequence runs when there is room for all its tokens beside those of all running sequences. For that it
///   may preempt sequences of lower priority, or of the same priority that came later: their caches are dropped, and replayed
///   when there is room for them again. The first in that order always fits, so there is always progress. In a step no waiting
///   sequence begins after one for which there was no room; and when that one has waited for room for claim_after steps, none of its
///   priority or a lower one begins before it: they might keep it from its room for ever.
/// - Sources: a sequence with a source brings it along in the first step in which it runs, as a whole, and again when heads lack it.
///   It counts as rows of the step and as positions. One that is too long for what a step has left waits until it comes first in a
///   step, where it fits however long it is.
/// - Groups: the members of a group owe their next tokens only when all of them have got their logits, because what follows one
///   depends on all; meanwhile those that have them wait. Anyone may preempt them then, because the others must find room.
/// - Forks: a sequence that continues another one begins in the caches of that one, which are not released before.
/// - Prefixes: a sequence of no group and without source, segments and a wish for hidden states that begins, or begins again after it was
///   preempted, is forked from the one of the same tenant with which it has most tokens in common, of those that are running or retained,
///   if that is a block or more. At least one row is left to compute, and none whose logits it wants is spared. One that would be
///   spared half of its rows or more, because a sequence that may preempt it is just computing them, waits for that; up to
///   prefix_waits_max in a step.
/// - A sequence that leaves is retained: it runs no more, but heads keep its caches. They are free memory: those used least recently are
///   released as soon as a running sequence needs the room. None is retained or reused after a failure of its steps, nor used once
///   more when a head turned out not to hold it.
/// - A step that fails and blames no actor and no sequence counts against all its sequences. After two in a row a sequence is
///   doubtful and runs alone, every other step, so that the others go on; after failures_max in a row it is blamed itself
///   and given up. A step that ends well clears the count; where memory was lacking, one that gets past the position at which it was,
///   because the rows before it are only replayed in the memory that was given back.
/// - A step that is late counts less: lates_max in a row are too many. Messages that are lost make a step late, for which no
///   sequence is to blame; and a request that makes actors throw does not make steps late, it makes them fail.
/// - A sequence whose rows came out of an actor with a NaN or an infinity is poisoned. Poisoned poisonings_max times in a row at
///   the same actor, it is given up. At another actor the count begins anew, because it is probably another fault; but
///   failures_max in a row are too many wherever they were. In a row means: without getting past that position. After the
///   second it runs again from its first token, since the non-finite values may be in its caches.
class batch_policy {
public:
  enum class failure : uint8_t { unknown, late, out_of_memory };
  static constexpr uint32_t failures_alone = 2, failures_max = 8, lates_max = 32, poisonings_max = 3, asks_max = 4;
  static constexpr uint32_t prefix_waits_max = 16, claim_after = 64, expected_tokens = 32;
  static constexpr double decode_cost = 2, prefill_cost = 1, counter_slack = 4 * decode_cost;

  explicit batch_policy(batch_limits limits)
      : limits_(limits), over_served_(limits.slowdown_by_tenants), lower_(limits.slowdown_by_priorities),
        prefixes_(limits.prefix_block) {}
  batch_policy(batch_policy&&) = default;
  batch_policy& operator=(batch_policy&&) = default;

  /// A new sequence, or a known one that joins again with its present token log. With fewer tokens than are known: ignored.
  void join(joining_sequence sequence);
  /// The token at index `position` of the sequence's log. Repeated or unknown: ignored.
  void append(uint64_t sequence, uint32_t position, uint32_t token);
  /// It has finished or ended; its caches are released with a later step. Unknown: ignored.
  void leave(uint64_t sequence);

  /// The next step; nullopt when there is nothing to run and nothing to release. Its effects count when one of the
  /// following is called with it.
  std::optional<planned_step> plan();
  /// True when some sequence owes its next token: a step formed now would run without it.
  bool awaits_tokens() const { return !awaited_.empty(); }

  /// Sequences that owe their next token have not answered in time: their newest row runs again, so that they get its logits
  /// once more. Returns those that were asked again asks_max times in vain: they have been removed.
  std::vector<uint64_t> ask_again();

  /// A step that ended well has taken this long.
  void measured(const planned_step& step, double ns);
  /// The step ended with a result.
  void succeeded(const planned_step& step);
  /// The step ended because cached positions are missing: each (sequence, positions that are still cached).
  void missed(const std::vector<std::pair<uint64_t, uint32_t>>& misses);
  /// The same, because heads lack the sources of these sequences.
  void missed_sources(const std::vector<uint64_t>& sequences);
  /// True when all of these sequences were poisoned at `path` the last time that they ran.
  bool is_known_poisoned(const std::vector<uint64_t>& suspects, const std::string& path) const;
  /// The step ended because rows of these sequences were not finite at `path`. Returns those given up: they have been removed.
  std::vector<uint64_t> poisoned(const std::vector<uint64_t>& suspects, const std::string& path);
  /// The step failed, and blames nobody; `late`: it did not end, its deadline has passed. Returns those given up: they have been
  /// removed.
  std::vector<uint64_t> failed(const planned_step& step, failure why = failure::unknown);

  /// How long it would probably take this sequence, if it joined now, to its first token and expected_tokens more: after all rows that are
  /// still to be computed, less those of its prefix that are there, and beside all other sequences. Before any step was measured a row
  /// counts as one nanosecond.
  double expected_ns(const joining_sequence& sequence) const;
  /// A sequence that waits for its first step and may as well do that in another replica: it is removed. None that is in the step under
  /// way, if there is one: it would begin over and over, each time in the other replica. Nothing: there is none.
  std::optional<joining_sequence> take_movable(const planned_step* under_way = nullptr);
  size_t waiting_sequences() const { return ready_[waiting].size(); }

  size_t sequences() const { return entries_.size(); }
  uint64_t rows_replayed() const { return rows_replayed_; }
  uint64_t rows_reused() const { return rows_reused_; }
  uint64_t preemptions() const { return preemptions_; }
  size_t running_sequences() const { return running_; } // The others wait.
  uint64_t cache_positions() const { return positions_ + prefixes_.retained_positions(); } // Of those that run, and retained ones.

private:
  /// Ready sequences are kept in these lists, each in the order of service.
  enum list : uint8_t { running, waiting, doubtful, lists };
  struct turn { // Place in the order of service.
    int64_t served = 0;   // Last, with what is added and taken off for prefill and priority.
    int64_t priority = 0; // Negated.
    uint64_t arrival = 0;
    auto operator<=>(const turn&) const = default;
  };
  using rank = std::pair<int64_t, uint64_t>; // Who may preempt whom: negated priority, arrival.

  enum class part : uint8_t { none, planned, preempted }; // In the step that is being formed.

  struct entry : cached_log {
    std::vector<uint32_t> segments, source;
    std::vector<float> features;
    bool lacks_source = false; // It has one that the heads do not hold.
    uint64_t group = 0, forked_from = 0;
    bool reuses_prefix = false; // That is why it is forked.
    bool may_reuse = true;      // No head has lacked what it was forked from.
    uint32_t planned_to = 0;    // Where its slice ends, while it is in the step that is being formed.
    uint32_t computed_most = 0; // The most positions that were ever cached: below it a row is a replay.
    uint32_t logits_from = 0;
    bool wants_hidden_states = false;
    bool awaits_token = false;
    int32_t priority = 0;
    tenant_account* account = nullptr;
    uint64_t arrival = 0, last_served = 0;
    uint32_t failures = 0, lates = 0; // Steps in a row that failed for any reason, and those of them that were late.
    uint32_t starved_from = 0; // The highest position at which one of them began that got no memory.
    uint32_t asks = 0; // How often it was asked again for the token that it owes.
    uint32_t poisonings = 0, poisonings_here = 0; // In a row, and in a row at the same actor.
    uint32_t poisoned_from = 0;                   // The highest position at which one of those slices began.
    std::string poisoned_at;                      // Path of the actor of the latest one.
    part in_step = part::none;

    struct indexed { // Where it is in the lists and sums, as file() has left it.
      list in = lists; // None.
      turn at;
      bool decodes = false;
      uint64_t prefill_rows = 0; // That are still to be computed.
      std::optional<rank> preemptible;
      uint64_t positions = 0;
      bool awaited = false;
    } index;

    bool is_ready() const { return !awaits_token && cached < tokens.size(); }
    bool is_doubtful() const { return failures >= failures_alone; }
    bool is_prefill() const { return tokens.size() - cached > 1; }
    rank own_rank() const { return {-int64_t(priority), arrival}; }
    uint64_t size() const { return tokens.size() + source.size(); } // In positions.
    bool is_plain() const { return group == 0 && source.empty() && segments.empty() && failures == 0 && poisonings == 0; }
    uint32_t new_source_rows() const { return lacks_source ? uint32_t(source.size()) : 0; }
  };
  struct forming_step; // A step that is being formed.
  struct ready_lists {  // Of one priority and tenant; each in the order of service.
    tenant_account* account = nullptr;
    std::map<turn, entry*> running, waiting;
    uint32_t decoders = 0; // Those of which one row is to be computed.
    bool empty() const { return running.empty() && waiting.empty(); }
  };
  struct walk; // Through two such lists.
  using level = std::map<uint64_t, ready_lists>; // Those of one priority, by the tenant's number.

  static rank first_to_go(const entry& e) { return {INT64_MAX, e.arrival}; }
  void file(entry& e); // Puts it where it belongs. Called after every change.
  void unfile(entry& e);
  void put_into_lists(entry& e, const entry::indexed& next);
  void take_out_of_lists(entry& e);
  void drop_empty_lists();
  entry* find(uint64_t id);
  void settle_group(uint64_t id);
  void set_fork(entry& e, uint64_t from);
  bool begin_in_prefix(entry& e);
  void remove(uint64_t id);
  void release_retained();
  bool is_fork_pending(uint64_t id) const;
  void distrust_prefix(entry& e);
  uint32_t rows_for(const entry& e, const forming_step& step) const;
  uint32_t prefill_rows_left(const forming_step& forming) const;
  bool make_room(entry& e, forming_step& step);
  void form(forming_step& step);
  enum class addition : uint8_t { added, no_rows, no_room, waits_for_prefix };
  addition add_slice(entry& e, forming_step& step, uint32_t rows_max = UINT32_MAX);
  entry* next_of(walk& through, const forming_step& step) const;
  bool add_next(entry& e, forming_step& step, time_allowance* from);
  void add_level(int64_t priority, forming_step& step);
  entry* claimant();
  void add_claimant(int64_t from, int64_t to, forming_step& step);
  void add_lower(int64_t below, forming_step& step, bool only_one);
  void add_healthy(forming_step& step);
  double expected_step_ns(const forming_step& step) const;
  void add_doubtful(forming_step& step);

  batch_limits limits_;
  std::map<uint64_t, entry> entries_;
  std::array<std::map<turn, entry*>, lists> ready_;
  std::map<int64_t, level> levels_;  // The same without the doubtful ones, by negated priority. Empty ones stay until the next step.
  std::vector<std::pair<int64_t, uint64_t>> emptied_; // Which may be.
  tenant_accounts tenants_;
  step_times times_;
  time_allowance over_served_, lower_;
  struct last_step { // What ran when the sequences came that are now new.
    double ns = 0;   // That it was expected to take. 0: nothing ran.
    int64_t priority = 0;       // Negated, of its first rows,
    std::set<uint64_t> tenants; // and the numbers of their tenants.
  } last_;
  struct claim_to_room { // Of the first waiting sequence for which there was no room; none: 0.
    uint64_t sequence = 0, since = 0;
  } claim_;
  std::map<rank, entry*> preemptible_; // All running ones, but for those that are in the step that is being formed.
  uint64_t prefill_rows_ = 0;          // Of all sequences, that are still to be computed.
  uint64_t positions_ = 0;             // Tokens of all running ones, and of those in that step.
  std::set<uint64_t> awaited_;         // Those that owe their next token.
  struct member_group {
    std::set<uint64_t> members;
    bool owes = false; // From when all members have their logits until none waits for its next token.
  };
  std::map<uint64_t, member_group> groups_;
  std::set<std::pair<uint64_t, uint64_t>> forks_; // (sequence that is continued, sequence that is to begin in its caches).
  std::set<uint64_t> released_;        // Not yet seen by a step that ended well.
  prefix_index prefixes_;
  uint64_t arrivals_ = 0, steps_ = 0, rows_replayed_ = 0, rows_reused_ = 0, preemptions_ = 0;
  size_t running_ = 0;
  bool doubted_last_ = false; // The last step was that of a doubtful sequence alone.
};

} // namespace troupe
