using Google.Protobuf;
using Townsfolk.Rpc;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>The methods of townsfolk.v1.TownsfolkService, for calls beside what the client wraps.</summary>
    public static class TownsfolkMethods
    {
        /// <summary>One stream for one session, both ways; HTTP/2 only.</summary>
        public static readonly RpcMethod<ConverseRequest, ConverseResponse> Converse =
            Method<ConverseRequest, ConverseResponse>("Converse", ConverseResponse.Parser);

        /// <summary>Opens a session.</summary>
        public static readonly RpcMethod<OpenSessionRequest, OpenSessionResponse> OpenSession =
            Method<OpenSessionRequest, OpenSessionResponse>("OpenSession", OpenSessionResponse.Parser);

        /// <summary>Speaks to a session and streams the answer.</summary>
        public static readonly RpcMethod<SayRequest, SayResponse> Say =
            Method<SayRequest, SayResponse>("Say", SayResponse.Parser);

        /// <summary>Cuts a session's answers off.</summary>
        public static readonly RpcMethod<InterruptSessionRequest, InterruptSessionResponse> InterruptSession =
            Method<InterruptSessionRequest, InterruptSessionResponse>(
                "InterruptSession", InterruptSessionResponse.Parser);

        /// <summary>Tells a session's character of an event.</summary>
        public static readonly RpcMethod<NotifySessionRequest, NotifySessionResponse> NotifySession =
            Method<NotifySessionRequest, NotifySessionResponse>("NotifySession", NotifySessionResponse.Parser);

        /// <summary>Records lines that the game's script has spoken.</summary>
        public static readonly RpcMethod<RecordLinesRequest, RecordLinesResponse> RecordLines =
            Method<RecordLinesRequest, RecordLinesResponse>("RecordLines", RecordLinesResponse.Parser);

        /// <summary>Changes a session's priority.</summary>
        public static readonly RpcMethod<UpdateSessionRequest, UpdateSessionResponse> UpdateSession =
            Method<UpdateSessionRequest, UpdateSessionResponse>("UpdateSession", UpdateSessionResponse.Parser);

        /// <summary>A session's configuration and transcript.</summary>
        public static readonly RpcMethod<GetSessionRequest, GetSessionResponse> GetSession =
            Method<GetSessionRequest, GetSessionResponse>("GetSession", GetSessionResponse.Parser);

        /// <summary>All sessions of the runtime.</summary>
        public static readonly RpcMethod<ListSessionsRequest, ListSessionsResponse> ListSessions =
            Method<ListSessionsRequest, ListSessionsResponse>("ListSessions", ListSessionsResponse.Parser);

        /// <summary>Ends a session and forgets it.</summary>
        public static readonly RpcMethod<CloseSessionRequest, CloseSessionResponse> CloseSession =
            Method<CloseSessionRequest, CloseSessionResponse>("CloseSession", CloseSessionResponse.Parser);

        /// <summary>Registers world knowledge under a name.</summary>
        public static readonly RpcMethod<RegisterLoreRequest, RegisterLoreResponse> RegisterLore =
            Method<RegisterLoreRequest, RegisterLoreResponse>("RegisterLore", RegisterLoreResponse.Parser);

        /// <summary>Forgets world knowledge.</summary>
        public static readonly RpcMethod<RemoveLoreRequest, RemoveLoreResponse> RemoveLore =
            Method<RemoveLoreRequest, RemoveLoreResponse>("RemoveLore", RemoveLoreResponse.Parser);

        /// <summary>Completes a prompt as it stands.</summary>
        public static readonly RpcMethod<GenerateRequest, GenerateResponse> Generate =
            Method<GenerateRequest, GenerateResponse>("Generate", GenerateResponse.Parser);

        /// <summary>Chooses among authored texts by how likely they are.</summary>
        public static readonly RpcMethod<ChooseRequest, ChooseResponse> Choose =
            Method<ChooseRequest, ChooseResponse>("Choose", ChooseResponse.Parser);

        /// <summary>Says what came of an action.</summary>
        public static readonly RpcMethod<AnswerActionRequest, AnswerActionResponse> AnswerAction =
            Method<AnswerActionRequest, AnswerActionResponse>("AnswerAction", AnswerActionResponse.Parser);

        /// <summary>What runs there.</summary>
        public static readonly RpcMethod<GetRuntimeInfoRequest, GetRuntimeInfoResponse> GetRuntimeInfo =
            Method<GetRuntimeInfoRequest, GetRuntimeInfoResponse>(
                "GetRuntimeInfo", GetRuntimeInfoResponse.Parser);

        /// <summary>Counters of the engine, again and again.</summary>
        public static readonly RpcMethod<WatchStatsRequest, WatchStatsResponse> WatchStats =
            Method<WatchStatsRequest, WatchStatsResponse>("WatchStats", WatchStatsResponse.Parser);

        /// <summary>How a session's last turns went, and its last prompt.</summary>
        public static readonly RpcMethod<InspectSessionRequest, InspectSessionResponse> InspectSession =
            Method<InspectSessionRequest, InspectSessionResponse>("InspectSession", InspectSessionResponse.Parser);

        /// <summary>What failed of late.</summary>
        public static readonly RpcMethod<ListErrorsRequest, ListErrorsResponse> ListErrors =
            Method<ListErrorsRequest, ListErrorsResponse>("ListErrors", ListErrorsResponse.Parser);

        /// <summary>Tells the runtime of the game's frames.</summary>
        public static readonly RpcMethod<ReportFramesRequest, ReportFramesResponse> ReportFrames =
            Method<ReportFramesRequest, ReportFramesResponse>("ReportFrames", ReportFramesResponse.Parser);

        /// <summary>Gives the model's memory back.</summary>
        public static readonly RpcMethod<ReleaseRequest, ReleaseResponse> Release =
            Method<ReleaseRequest, ReleaseResponse>("Release", ReleaseResponse.Parser);

        /// <summary>Loads a released model.</summary>
        public static readonly RpcMethod<WarmRequest, WarmResponse> Warm =
            Method<WarmRequest, WarmResponse>("Warm", WarmResponse.Parser);

        private static RpcMethod<TRequest, TResponse> Method<TRequest, TResponse>(
            string name, Google.Protobuf.MessageParser<TResponse> parser)
            where TRequest : IMessage<TRequest>
            where TResponse : IMessage<TResponse> =>
            new RpcMethod<TRequest, TResponse>(
                "/townsfolk.v1.TownsfolkService/" + name,
                request => request.ToByteArray(),
                parser.ParseFrom);
    }
}
