"""How this manager sees itself, the other managers and the leader: the ports, on consensus."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from api.errors import Unavailable
from manager.adapters.manager_client import ManagerClient
from manager.consensus.consensus import Consensus
from manager.core.dispatcher.notice import FOLLOWER_WEIGHT, Peer
from manager.core.member import Member
from manager.ports.statuses import OwnStatus
from manager.servers import own_version


class ManagerView:
    """Fulfils `Members`, `Statuses` and the leader's `Office`."""

    def __init__(self, node_id: str, consensus: Consensus, client: ManagerClient) -> None:
        self._node_id = node_id
        self._consensus = consensus
        self._client = client

    def known(self) -> Sequence[Member]:
        """Return the members as this manager's own log has them, learners included."""
        return self._consensus.membership.known()

    def silent_managers(self) -> Collection[str]:
        """Return the nodes of the members that this manager, leading, does not hear of."""
        return {each.node_id for each in self.known() if each.is_reachable is False}

    async def seen(self) -> Sequence[Member]:
        """Return the members as the leader sees them; as `known` when it cannot be asked."""
        address = self._consensus.leader_address
        if self._consensus.is_leader or address is None:
            return self.known()
        try:
            return await self._client.members(address)
        except Unavailable:
            return self.known()

    async def remove(self, raft_id: int) -> None:
        """Take a member out."""
        await self._consensus.membership.remove(raft_id)

    async def transfer_leadership(self) -> None:
        """Have another member lead."""
        await self._consensus.membership.transfer_leadership()

    def own(self) -> OwnStatus:
        """Return this manager's status."""
        status = self._consensus.status()
        return OwnStatus(
            node_id=self._node_id,
            raft_id=status.raft_id,
            term=status.term,
            leader=status.lead.leader,
            commit_index=status.commit_index,
            applied_index=status.applied_index,
            version=own_version(),
        )

    async def of(self, address: str) -> OwnStatus:
        """Return the status of the manager at this address."""
        return await self._client.status(address)

    def leader(self) -> Peer | None:
        """Return where agents find the leader; None where nobody knows."""
        lead = self._consensus.status().lead.leader
        for member in self.known():
            if member.raft_id == lead:
                return Peer(member.node_id, member.address, FOLLOWER_WEIGHT)
        return None

    async def gained(self) -> int:
        """Return the term as soon as this manager leads in one."""
        async for lead in self._consensus.leads():
            if lead.is_own:
                return lead.term
        raise AssertionError

    async def lost(self, term: int) -> None:
        """Return as soon as this manager does not lead in this term any more."""
        async for lead in self._consensus.leads():
            if not lead.is_own or lead.term != term:
                return
