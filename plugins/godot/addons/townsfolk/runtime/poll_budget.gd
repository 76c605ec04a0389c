## When the network is polled, so that it takes a game's frames no more than its share on average.
##
## Most of what a poll takes does not depend on how much has come. So after one that took more than
## its share a frame goes by without, and what comes meanwhile is cheaper.
@tool
extends RefCounted

## What the network may take of each frame on average before it is polled less often.
const FRAME_SHARE_USEC := 150
## The most that is saved up for, however long a poll took.
const MOST_SPENT_USEC := 1000
## But so often it is polled always.
const LONGEST_PAUSE_USEC := 25000

var _polled_at_usec := 0
var _spent_usec := 0  # beyond what the frames since have allowed


## Whether to poll in this frame; to be asked once in each.
func allows_poll() -> bool:
	_spent_usec = maxi(0, _spent_usec - FRAME_SHARE_USEC)
	var now := Time.get_ticks_usec()
	if _spent_usec > 0 and now - _polled_at_usec < LONGEST_PAUSE_USEC:
		return false
	_polled_at_usec = now
	return true


## Counts a poll that has just ended.
func note_poll() -> void:
	_spent_usec = mini(_spent_usec + Time.get_ticks_usec() - _polled_at_usec, MOST_SPENT_USEC)
