"""What a client sees of each limit, and the test that proves it. ``docs/limits.md`` is made of it.

A new limit in ``gogate_trio.limits`` or a new setting that bounds something needs a row here;
then ``python tests/limits_doc.py`` writes the document anew.
"""

# ruff: noqa: E501  # the names of tests are sentences

from __future__ import annotations

from typing import Final

import attrs


@attrs.frozen
class Row:
    """One limit, from outside."""

    sees: str
    """What the client sees when it is reached."""
    proof: str
    """The test, as ``file::test``; in ``MET`` it goes through a real socket."""


LIMITED: Final = "error `RATE_LIMITED` with `retry_after_ms`"
SLOW: Final = "error `SLOW_CONSUMER` where it can still be said, then 4410, or a reset"
LINGER: Final = "a clean end behind the close frame, and no reset"
BUSY: Final = "error `BUSY`; what waits is done"
FULL: Final = "503 with `Retry-After`; pages are answered"
FLOOD: Final = "error `FLOOD`, then 4429"
RESYNC: Final = "`recovered` is false, and a `resync` follows"

DOOR: Final = "server/test_door.py::test_a_wrong_head_is_answered_with_its_status"
INPUT: Final = (
    "server/test_bad_input.py::test_bad_input_is_answered_with_one_error_and_goes_no_further"
)
PACED: Final = "server/test_server_rates.py::test_over_its_rate_a_command_is_refused_until_the_time_it_was_told"
BUFFERS: Final = "server/test_sizes.py::test_messages_of_every_edge_arrive_whole"
STUCK: Final = (
    "server/test_slow_clients.py::test_a_client_that_never_reads_is_cut_within_write_wait"
)
BEHIND: Final = "server/test_slow_clients.py::test_a_slow_client_is_hung_up_with_4410_and_its_chat_does_not_wait"
STEADY: Final = "server/test_slow_clients.py::test_a_client_that_reads_slowly_but_steadily_stays"
MUCH: Final = "server/test_closing.py::test_who_sends_too_much_reads_why_and_meets_no_reset"
FAULT: Final = "server/test_closing.py::test_a_fault_is_named_in_the_close_frame"
FLOODER: Final = "server/test_server_rates.py::test_who_keeps_asking_for_refusals_is_hung_up"
TYPIST: Final = "server/test_server_rates.py::test_typing_without_end_is_a_flood"

MET: Final = {
    # ── settings ─────────────────────────────────────────────────────────────
    "BACKEND_TIMEOUT": Row(
        "error `OUTCOME_UNKNOWN`, or `BACKEND_UNAVAILABLE` where nothing can have happened",
        "server/test_limits_seen.py::test_a_call_takes_no_longer_than_its_timeout",
    ),
    "BACKEND_MAX_CALLS": Row(
        "nothing: its command waits for its turn",
        "server/test_limits_seen.py::test_so_many_calls_are_under_way_at_once",
    ),
    "BACKEND_QUEUE": Row(BUSY, "server/test_backend_away.py::test_a_full_queue_is_said_to_be_busy"),
    "MAX_MESSAGE_SIZE": Row(
        "1009", "server/test_sizes.py::test_the_largest_message_is_counted_in_bytes"
    ),
    "READ_BUFFER_SIZE": Row("nothing", BUFFERS),
    "WRITE_BUFFER_SIZE": Row("nothing", BUFFERS),
    "PING_PERIOD": Row(
        "a ping",
        "server/test_heartbeat_sockets.py::test_a_silent_client_is_pinged_and_then_hung_up_with_4408",
    ),
    "PONG_WAIT": Row(
        "4408",
        "server/test_heartbeat_sockets.py::test_a_silent_client_is_pinged_and_then_hung_up_with_4408",
    ),
    "WRITE_WAIT": Row(SLOW, STUCK),
    "AUTH_TIMEOUT": Row(
        "error `AUTH_TIMEOUT`, then 4501",
        "server/test_closing.py::test_who_does_not_authenticate_in_time_is_told_and_hung_up",
    ),
    "AUTH_CONCURRENCY": Row(
        "nothing: its `auth` waits for its turn",
        "server/test_coming_in.py::test_no_more_than_the_limit_is_asked_about_at_once",
    ),
    "TOKEN_GRACE": Row(
        "error `TOKEN_EXPIRED`, then 4503",
        "server/test_token_life.py::test_a_token_that_has_ended_ends_its_connection_after_the_grace",
    ),
    "TOKEN_RECHECK": Row(
        "error `TOKEN_REVOKED`, then 4503, when the backend no longer takes its token",
        "server/test_token_life.py::test_a_token_that_is_no_longer_good_ends_its_connections",
    ),
    "MAX_CONNECTIONS": Row(
        FULL,
        "server/test_server_admission.py::test_a_full_house_says_when_to_come_back_and_is_healthy",
    ),
    "MAX_UNAUTHENTICATED": Row(
        FULL,
        "server/test_server_admission.py::test_strangers_never_crowd_out_those_with_a_user",
    ),
    "MAX_CONNECTIONS_PER_IP": Row(
        FULL, "server/test_server_admission.py::test_one_address_has_so_many_connections"
    ),
    "MAX_CONNECTIONS_PER_USER": Row(
        "error `TOO_MANY_CONNECTIONS`, then 4509: the oldest, or the new one",
        "server/test_server_admission.py::test_of_one_user_the_newest_stay",
    ),
    "RATE_HANDSHAKES": Row(
        FULL, "server/test_server_admission.py::test_one_address_connects_no_faster_than_its_pace"
    ),
    "RATE_MESSAGES": Row(LIMITED, PACED),
    "RATE_TYPING": Row(
        "nothing: the others are told the latest state when there is room",
        "server/test_server_rates.py::test_typing_over_its_rate_is_merged_and_the_latest_goes_out",
    ),
    "RATE_REACTIONS": Row(LIMITED, PACED),
    "RATE_READS": Row(LIMITED, PACED),
    "RATE_AUTH": Row(LIMITED, PACED),
    "RATE_CONTROL": Row(
        "no pong; without end, error `FLOOD` and 4429",
        "server/test_server_rates.py::test_pings_over_their_rate_are_not_answered",
    ),
    "MEMBERSHIP_TTL": Row(
        "as long may somebody new to a chat not hear it",
        "server/test_limits_seen.py::test_members_are_known_for_so_long",
    ),
    "MEMBERSHIP_STALE": Row(
        "a stored message still arrives while the backend is away",
        "server/test_limits_seen.py::test_an_old_list_of_members_serves_while_the_backend_is_away",
    ),
    "RESUME_WINDOW": Row(
        RESYNC, "server/test_limits_seen.py::test_a_client_may_be_away_for_so_long"
    ),
    "RESUME_EVENTS": Row(
        RESYNC, "server/test_limits_seen.py::test_so_many_events_are_kept_for_who_is_away"
    ),
    "DRAIN_TIMEOUT": Row(
        "1012 at the end of a call that hangs",
        "server/test_draining.py::test_a_backend_that_hangs_does_not_hang_the_drain",
    ),
    "DRAIN_SPREAD": Row(
        "1012 with `retry=`, earlier or later than others",
        "server/test_spread.py::test_clients_leave_at_an_even_pace_and_in_no_order",
    ),
    # ── what a client may say ────────────────────────────────────────────────
    "TOKEN_BYTES": Row("error `INVALID_AUTH`", INPUT),
    "EMOJI_CHARACTERS": Row("error `INVALID_REACTION`", INPUT),
    "READ_BATCH": Row("error `INVALID_READ`", INPUT),
    "ATTACHMENTS": Row("error `INVALID_MESSAGE`", INPUT),
    "COMMAND_ID_CHARACTERS": Row(
        "error `INVALID_FORMAT`",
        "server/test_limits_seen.py::test_an_id_has_so_many_characters",
    ),
    "FRAGMENTS": Row("1009", FAULT),
    "FAST_MESSAGE_BYTES": Row("nothing", BUFFERS),
    "EARLY_COMMANDS": Row(
        "error `AUTH_REQUIRED` each time, then 4501",
        "server/test_coming_in.py::test_the_tenth_command_before_auth_is_the_last",
    ),
    # ── coming in ────────────────────────────────────────────────────────────
    "HEAD_BYTES": Row("431", DOOR),
    "HEADERS": Row("431", DOOR),
    "HANDSHAKE_SECONDS": Row(
        "408", "server/test_door.py::test_a_head_that_takes_too_long_is_answered_with_408"
    ),
    "BACKLOG": Row(
        "beyond it, the connection takes seconds to open",
        "server/test_door.py::test_nobody_at_the_door_holds_up_the_others",
    ),
    "REFUSALS_AT_ONCE": Row(
        "the end, without a word",
        "server/test_server_admission.py::test_those_beyond_the_refusals_at_once_are_closed_without_a_word",
    ),
    "MOST_CONNECTIONS": Row(
        FULL, "e2e/test_open_files.py::test_more_connections_than_files_are_not_promised"
    ),
    "CONNECTIONS_PER_ADDRESS": Row(
        FULL,
        "server/test_server_admission.py::test_this_machine_is_not_counted_unless_somebody_says_so",
    ),
    "RESERVED_SHARE": Row(
        FULL, "e2e/test_open_files.py::test_half_of_the_connections_may_be_without_a_user"
    ),
    "RESERVED_FILES": Row(
        FULL,
        "e2e/test_open_files.py::test_at_the_limit_on_open_files_it_serves_and_dials_the_backend",
    ),
    "STRIKES": Row(FLOOD, FLOODER),
    "STRIKES_PER_SECOND": Row(
        "nothing", "server/test_server_rates.py::test_who_is_wrong_now_and_then_stays"
    ),
    "EXCESS_TYPING": Row(FLOOD, TYPIST),
    "EXCESS_TYPING_PER_SECOND": Row(
        "nothing", "server/test_server_rates.py::test_a_held_key_is_no_flood"
    ),
    # ── what waits ───────────────────────────────────────────────────────────
    "OUTBOX_FRAMES": Row(SLOW, BEHIND),
    "OUTBOX_BYTES": Row(SLOW, BEHIND),
    "SEND_BUFFER_BYTES": Row(SLOW, BEHIND),
    "WRITE_PIECE_BYTES": Row("nothing, when it reads so much within `WRITE_WAIT`", STEADY),
    "LAST_CALL_SECONDS": Row(
        "nothing; who connects later is served by another process, a second later",
        "server/test_last_call.py::test_those_in_the_queue_are_accepted_and_the_others_come_to_the_neighbour",
    ),
    "LAST_QUEUE_SECONDS": Row(
        "a reset",
        "server/test_last_call.py::test_a_queue_that_nobody_accepts_does_not_hold_up_the_drain",
    ),
    "LAST_HEAD_SECONDS": Row(
        "503", "server/test_draining.py::test_a_client_that_comes_in_during_the_drain_is_sent_away"
    ),
    "LINGER_SECONDS": Row(
        LINGER, "server/test_heartbeat_sockets.py::test_a_peer_that_has_vanished_is_let_go"
    ),
    "LINGER_BYTES": Row(LINGER, MUCH),
    "PENDING_COMMANDS": Row(
        BUSY, "server/test_order.py::test_too_many_waiting_commands_are_refused_and_not_dropped"
    ),
    "PENDING_TYPING": Row(
        "error `BUSY`",
        "server/test_server_rates.py::test_typing_everywhere_without_end_is_a_flood_too",
    ),
    "AWAY_SECONDS": Row(
        "1013 with a time in its reason",
        "server/test_closing.py::test_who_waits_for_a_hanging_backend_is_told_to_come_back",
    ),
    "ERROR_TEXT_CHARACTERS": Row(
        "the beginning of the backend's words",
        "server/test_limits_seen.py::test_so_much_of_the_backends_own_words_is_shown",
    ),
    "ANSWER_BYTES": Row(
        "error `OUTCOME_UNKNOWN`: what was stored cannot be read",
        "server/test_limits_seen.py::test_an_answer_has_so_many_bytes",
    ),
    # ── coming back ──────────────────────────────────────────────────────────
    "OUTCOMES": Row(
        "a repeated command from before them is done again",
        "server/test_limits_seen.py::test_the_outcome_of_so_many_commands_is_given_again",
    ),
    "OUTCOME_SECONDS": Row(
        "a command repeated later is done again",
        "server/test_limits_seen.py::test_an_outcome_is_given_again_for_so_long",
    ),
    "SESSIONS": Row(
        "a repeated command of a forgotten session is done again",
        "server/test_limits_seen.py::test_so_many_sessions_are_remembered",
    ),
    "HISTORY_BYTES": Row(
        RESYNC, "server/test_limits_seen.py::test_so_many_bytes_are_kept_for_who_is_away"
    ),
    "REPLAY_ENTRIES": Row(
        "nothing",
        "server/test_limits_seen.py::test_what_was_missed_is_told_in_pieces_without_a_gap",
    ),
    "RECENT_TOKENS": Row(
        "it waits for the backend when it resumes",
        "server/test_limits_seen.py::test_the_backends_word_about_so_many_tokens_is_kept",
    ),
    "LATE_PUBLICATIONS": Row(
        "a `resync`, if it has a session",
        "server/test_limits_seen.py::test_a_message_too_many_that_nobody_can_be_told_is_a_gap",
    ),
    "KNOWN_MESSAGES": Row(
        "reactions and read marks of older messages reach their author alone",
        "server/test_limits_seen.py::test_the_chats_of_so_many_messages_are_known",
    ),
    # ── the end of a node ────────────────────────────────────────────────────
    "RECONNECT_SECONDS": Row(
        "`retry=` in the reason of 1012, and `reconnect` before it, if it asked for notices",
        "server/test_spread.py::test_they_come_back_at_that_pace_to_an_open_door",
    ),
    # ── who is online ────────────────────────────────────────────────────────
    "PRESENCE_MEMBERS": Row(
        "error `CHAT_TOO_BIG`", "server/test_server_presence.py::test_a_big_chat_is_refused"
    ),
    "PRESENCE_CHATS": Row(
        "error `INVALID_AUTH`",
        "server/test_server_presence.py::test_so_many_chats_may_be_asked_for",
    ),
    "PRESENCE_WATCHED": Row(
        "error `BUSY` with its `chat_id`",
        "server/test_server_presence.py::test_so_many_chats_of_a_node_are_looked_at",
    ),
    "PRESENCE_GRACE_SECONDS": Row(
        "`presence` without who left, so much later",
        "server/test_server_presence.py::test_who_leaves_is_offline_when_the_grace_is_over_and_not_before",
    ),
    "PRESENCE_TICK_SECONDS": Row(
        "one `presence` for all that has changed",
        "server/test_server_presence.py::test_changes_within_a_second_are_one_event",
    ),
    "PRESENCE_LIST_SECONDS": Row(
        "`presence` with the new members; error `NOT_A_MEMBER` if it is none any more",
        "server/test_server_presence.py::test_who_left_a_chat_looks_no_more_and_is_seen_no_more",
    ),
    # ── the life of a token ──────────────────────────────────────────────────
    "TOKEN_NOTICE_SECONDS": Row(
        "`auth_expiring`, if it asked for notices",
        "server/test_token_life.py::test_only_a_client_that_asked_hears_that_its_token_ends_soon",
    ),
    "FORCED_RECHECK_SECONDS": Row(
        "nothing",
        "server/test_token_life.py::test_a_401_that_was_not_meant_for_the_token_ends_nobody",
    ),
    "OUTAGE_RECHECK_SECONDS": Row(
        "nothing: its token lives on",
        "server/test_token_life.py::test_a_token_that_ends_during_an_outage_is_extended",
    ),
}
"""What a client can meet."""

INSIDE: Final = {
    "ANSWER_PIECES": "backend/test_odd_answers.py::test_an_answer_has_so_many_pieces",
    "NODE_BEAT_SECONDS": "registry/test_registry.py::test_after_a_redis_that_forgot_everything_all_is_known_again",
    "NODE_LEASE_SECONDS": "registry/test_registry.py::test_who_dies_is_gone_when_its_lease_ends",
    "RESYNC_SECONDS": "hub/test_hub_positions.py::test_a_gap_is_told_to_all_who_count_on_positions",
    "LOST_NODE_SECONDS": "registry/test_registry.py::test_nodes_that_are_lost_together_are_told_of_together",
    "CLUSTER_WAIT_SECONDS": "registry/test_registry.py::test_a_redis_that_hangs_holds_nobody_up",
    "CLUSTER_WAITING": "registry/test_registry.py::test_no_more_wait_at_the_door_than_there_is_room_for",
    "API_BODY_BYTES": "internal/test_api.py::test_a_body_that_is_too_large_is_refused",
    "API_USERS": "internal/test_api.py::test_a_bad_body_is_refused_with_its_field",
    "OVERVIEW_CONNECTIONS": "internal/test_overview.py::test_the_newest_and_the_slowest_are_shown",
    "RECENT_ENDS": "internal/test_overview.py::test_the_latest_ends_are_shown_and_no_more",
    "API_AT_ONCE": "internal/test_api.py::test_who_waits_for_the_backend_keeps_no_probe_out",
    "API_SECONDS": "internal/test_api.py::test_who_waits_for_the_backend_keeps_no_probe_out",
    "API_PAGE": "internal/test_api.py::test_what_is_not_there_is_said_with_a_code",
    "IDEMPOTENCY_KEY_CHARACTERS": "internal/test_api.py::test_an_idempotency_key_that_is_none_is_refused",
    "STATE_BYTES": "test_succession.py::test_what_is_too_big_is_not_left",
    "STATE_SECONDS": "test_succession.py::test_a_disk_that_hangs_is_not_waited_for",
    "PRESENCE_LOOK_SECONDS": "test_whereabouts.py::test_a_lost_word_is_noticed_by_the_next_look",
    "PRESENCE_LEAVERS": "test_whereabouts.py::test_so_many_who_left_are_remembered",
    "DRAIN_PER_SECOND": "server/test_spread.py::test_the_spread_follows_the_crowd_unless_it_is_set",
    "DRAIN_SPREAD_SECONDS": "server/test_spread.py::test_the_spread_follows_the_crowd_unless_it_is_set",
    "BREAKER_WINDOW_SECONDS": "state/test_breaker.py::test_what_ended_long_ago_is_forgotten",
    "BREAKER_CALLS": "state/test_breaker.py::test_ten_failures_open_it_and_nine_do_not",
    "BREAKER_FAILED_SHARE": "state/test_breaker.py::test_it_opens_at_four_failures_of_five",
    "BREAKER_PAUSE_SECONDS": "state/test_breaker.py::test_nothing_goes_while_it_is_open",
    "BREAKER_LONGEST_PAUSE_SECONDS": "state/test_breaker.py::test_each_failed_probe_doubles_the_pause_up_to_a_cap",
    "BREAKER_PROBES": "state/test_breaker.py::test_after_the_pause_a_few_questions_go",
    "BREAKER_QUESTIONS_FIRST_SECONDS": "state/test_breaker.py::test_a_deed_probes_only_when_no_question_comes",
    "TLS_LOOK_SECONDS": "server/test_tls_reload.py::test_a_change_is_taken_at_the_second_look",
    "TLS_RENEWAL_SECONDS": "server/test_tls_reload.py::test_a_context_is_made_anew_each_day",
    "TLS_EXPIRY_SECONDS": "server/test_tls_reload.py::test_the_end_is_warned_of_two_weeks_ahead",
    "AUDIENCE_RETRY_SECONDS": "router/test_router_late.py::test_a_refused_look_up_is_no_reason_to_lose_a_message",
    "LATE_RETRY_SECONDS": "router/test_router_late.py::test_a_message_whose_chat_stays_unknown_is_put_aside_and_told_later",
    "LATE_SECONDS": "router/test_router_late.py::test_a_message_that_is_never_told_is_a_gap_in_the_stream",
    "GAP_SECONDS": "router/test_router_late.py::test_a_message_that_is_never_told_is_a_gap_in_the_stream",
    "MEMBERSHIP_CHATS": "backend/test_membership.py::test_the_least_recently_used_list_goes_first",
    "RATE_KEYS": "state/test_ratelimit.py::test_no_more_keys_are_remembered_than_there_is_room_for",
    "RECHECK_JITTER": "state/test_tokens.py::test_the_interval_is_spread_by_a_tenth",
    "LOG_LINES_PER_SECOND": "log/test_flood.py::test_a_flood_of_one_kind_costs_so_many_lines_and_hides_no_other",
    "LOG_LINES": "log/test_flood.py::test_a_flood_of_one_kind_costs_so_many_lines_and_hides_no_other",
    "LOG_DEBUG_LINES_PER_SECOND": "log/test_flood.py::test_debug_has_more_room",
    "LOG_DEBUG_LINES": "log/test_flood.py::test_debug_has_more_room",
    "LOG_SUMMARY_SECONDS": "log/test_flood.py::test_summaries_come_by_themselves_and_at_the_end",
    "LOG_KINDS": "log/test_flood.py::test_the_kinds_that_are_remembered_are_few",
    "LOG_WRITE_SECONDS": "log/test_writing.py::test_a_reader_that_stops_costs_lines_and_no_time",
    "LOG_PATIENCE_SECONDS": "log/test_writing.py::test_a_slow_reader_is_waited_for_now_and_then",
    "JOURNAL_BYTES": "log/test_journal.py::test_an_entry_is_bounded",
    "TRACE_SPANS": "tracing/test_traces.py::test_no_more_spans_wait_than_there_is_room_for",
    "TRACE_BATCH": "tracing/test_traces.py::test_no_more_spans_wait_than_there_is_room_for",
    "TRACE_FLUSH_SECONDS": "tracing/test_traces.py::test_a_collector_that_hangs_delays_no_end",
    "HUB_INBOX": "hub/test_hub.py::test_a_full_inbox_makes_publishers_wait_and_sheds_typing",
    "PENDING_WRITES": "test_pending_writes.py::test_more_than_many_are_not_put_off",
    "SENDS_PER_TURN": "hub/test_hub.py::test_others_run_between_so_many_sends",
    "JOINED_BYTES": "hub/test_hub.py::test_joined_writes_are_bounded",
    "JOINED_FRAMES": "hub/test_hub.py::test_joined_writes_are_bounded",
    "ONCE_SECONDS": "broker/test_broker_once.py::test_a_key_is_forgotten_after_its_time",
    "ONCE_KEYS": "broker/test_broker_once.py::test_the_oldest_key_goes_first",
    "REDIS_TIMEOUT": "broker/test_link.py::test_a_redis_that_hangs_costs_a_call_its_deadline",
    "REDIS_CALLS": "broker/test_link.py::test_calls_at_once_do_not_mix",
    "REDIS_PAUSE_SECONDS": "broker/test_redis_away.py::test_a_long_pause_stops_nobody_and_loses_nothing",
    "REDIS_LONGEST_PAUSE_SECONDS": "broker/test_redis_away.py::test_a_long_pause_stops_nobody_and_loses_nothing",
    "SENTINEL_SECONDS": "broker/test_sentinels.py::test_a_master_the_sentinels_replace_is_left_while_it_answers",
    "REDIS_BLOCK_SECONDS": "broker/test_redis_away.py::test_an_emptied_redis_is_noticed_while_nobody_says_anything",
    "REDIS_START_SECONDS": "broker/test_redis_away.py::test_a_node_starts_without_redis_and_attaches_later",
    "READ_ENTRIES": "broker/test_redis_away.py::test_a_node_that_was_cut_off_too_long_hears_what_is_left",
    "BATCH_PUBLICATIONS": "broker/test_outgoing.py::test_a_batch_is_bounded_and_never_empty",
    "BATCH_BYTES": "broker/test_outgoing.py::test_a_batch_is_bounded_and_never_empty",
    "BACKLOG_PUBLICATIONS": "broker/test_redis_away.py::test_a_full_backlog_drops_the_oldest_and_declares_a_gap",
    "BACKLOG_BYTES": "broker/test_outgoing.py::test_a_backlog_is_bounded_in_bytes",
    "STREAM_LEAST": "broker/test_stream.py::test_the_stream_keeps_what_a_slow_node_may_be_behind",
    "STREAM_BYTES": "broker/test_stream.py::test_the_stream_is_bounded_in_bytes",
    "ENTRY_BYTES": "broker/test_packing.py::test_what_is_absurd_is_nobodys",
    "AUDIENCE_USERS": "broker/test_packing.py::test_what_is_absurd_is_nobodys",
    "KEPT_AUDIENCES": "broker/test_packing.py::test_remembered_audiences_are_bounded",
    "KEPT_AUDIENCE_BYTES": "broker/test_packing.py::test_lists_that_change_do_not_pile_up",
    "KNOWN_NODES": "broker/test_telling.py::test_the_nodes_that_are_remembered_are_bounded",
    "KNOWN_EPOCHS": "broker/test_telling.py::test_an_epoch_is_over_when_another_has_followed",
    "EPHEMERAL_WAITING": "broker/test_ephemeral.py::test_what_waits_for_the_channel_is_bounded",
    "BEAT_SECONDS": "broker/test_ephemeral.py::test_a_silent_channel_is_listened_to_anew",
    "SILENCE_SECONDS": "broker/test_ephemeral.py::test_a_silent_channel_is_listened_to_anew",
    "REDIS_REPLY_BYTES": "broker/test_link.py::test_a_reply_without_end_is_cut_off",
}
"""What bounds the gateway's own work, and the test of each. No client meets these."""
