## The static and the dynamic table of HPACK (RFC 7541, section 2.3 and appendix A).
@tool
extends RefCounted

## What an entry costs besides its octets.
const ENTRY_OVERHEAD := 32
## The static table: name, value, name, value; its first index is 1.
const STATIC: Array[String] = [
	":authority",
	"",
	":method",
	"GET",
	":method",
	"POST",
	":path",
	"/",
	":path",
	"/index.html",
	":scheme",
	"http",
	":scheme",
	"https",
	":status",
	"200",
	":status",
	"204",
	":status",
	"206",
	":status",
	"304",
	":status",
	"400",
	":status",
	"404",
	":status",
	"500",
	"accept-charset",
	"",
	"accept-encoding",
	"gzip, deflate",
	"accept-language",
	"",
	"accept-ranges",
	"",
	"accept",
	"",
	"access-control-allow-origin",
	"",
	"age",
	"",
	"allow",
	"",
	"authorization",
	"",
	"cache-control",
	"",
	"content-disposition",
	"",
	"content-encoding",
	"",
	"content-language",
	"",
	"content-length",
	"",
	"content-location",
	"",
	"content-range",
	"",
	"content-type",
	"",
	"cookie",
	"",
	"date",
	"",
	"etag",
	"",
	"expect",
	"",
	"expires",
	"",
	"from",
	"",
	"host",
	"",
	"if-match",
	"",
	"if-modified-since",
	"",
	"if-none-match",
	"",
	"if-range",
	"",
	"if-unmodified-since",
	"",
	"last-modified",
	"",
	"link",
	"",
	"location",
	"",
	"max-forwards",
	"",
	"proxy-authenticate",
	"",
	"proxy-authorization",
	"",
	"range",
	"",
	"referer",
	"",
	"refresh",
	"",
	"retry-after",
	"",
	"server",
	"",
	"set-cookie",
	"",
	"strict-transport-security",
	"",
	"transfer-encoding",
	"",
	"user-agent",
	"",
	"vary",
	"",
	"via",
	"",
	"www-authenticate",
	"",
]
const STATIC_COUNT := 61

## Octets that the dynamic table's entries take now, with their overhead.
var size := 0
## Octets that they may take.
var max_size := 4096:
	set(value):
		max_size = value
		_evict(value)

var _dynamic: Array[PackedStringArray] = []  # oldest first


## The entry at an index as [name, value]; empty when there is none.
func entry(index: int) -> PackedStringArray:
	if index >= 1 and index <= STATIC_COUNT:
		return PackedStringArray([STATIC[2 * index - 2], STATIC[2 * index - 1]])
	var place := _dynamic.size() - (index - STATIC_COUNT)
	if index > STATIC_COUNT and place >= 0:
		return _dynamic[place]
	return PackedStringArray()


## Adds an entry; one larger than the whole table empties it (RFC 7541, section 4.4).
func add(name: String, value: String) -> void:
	var cost := name.length() + value.length() + ENTRY_OVERHEAD
	_evict(max_size - cost)
	if cost <= max_size:
		_dynamic.append(PackedStringArray([name, value]))
		size += cost


## Finds a header. Returns its index, negative when only the name is there, 0 when not even that.
func find(name: String, value: String) -> int:
	var name_index := 0
	for place in range(0, 2 * STATIC_COUNT, 2):
		if STATIC[place] == name:
			if STATIC[place + 1] == value:
				return place / 2 + 1
			if name_index == 0:
				name_index = place / 2 + 1
	for place in range(_dynamic.size() - 1, -1, -1):
		if _dynamic[place][0] == name:
			var index := STATIC_COUNT + _dynamic.size() - place
			if _dynamic[place][1] == value:
				return index
			if name_index == 0:
				name_index = index
	return -name_index


func _evict(allowed: int) -> void:
	while size > allowed and not _dynamic.is_empty():
		var oldest := _dynamic[0]
		size -= oldest[0].length() + oldest[1].length() + ENTRY_OVERHEAD
		_dynamic.remove_at(0)
