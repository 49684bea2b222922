"""Stories of instances in virtual time: failures, deactivation, sharing, consolidation, rotation."""

from dataclasses import replace
from itertools import pairwise

from penstock.placement import Fleet, PlacementSettings, Size
from penstock.scaler import LaunchDelays, Reason
from support.capacity_story import FLEET, TYPES, ZONES, CapacityStory, StoryFunction, function, policy, story

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0


class TestFailures:
    def test_ten_launches_that_fail_together_are_one_failure(self) -> None:
        """Not ten in a row: the next attempt is five seconds later, not five minutes."""
        f = function(300, starts=lambda now: not 600 <= now < 605)
        run = story(f).run(595)
        f.load = lambda now: 3000
        run.run(600)
        assert len(f.attempts) >= 1
        assert f.reasons[-1] is not Reason.BACK_OFF
        run.run(615)
        assert len(f.ready(run.now)) > 29

    def test_a_function_that_cannot_start_is_tried_ever_more_seldom(self) -> None:
        f = function(10, starts=lambda now: False)
        story(f).run(2 * HOUR)
        gaps = [after - before for before, after in pairwise(f.attempts)]
        assert gaps == sorted(gaps)
        assert gaps[:7] == [5, 10, 20, 40, 80, 160, 300]
        assert gaps[-1] == 300

    def test_it_recovers_when_launches_work_again(self) -> None:
        f = function(10, starts=lambda now: now > 600)
        run = story(f).run(600)
        assert f.environments == []
        run.run(900 + 300)
        assert len(f.ready(run.now)) == 3
        assert f.state.failures == 0

    def test_an_instance_lost_with_all_on_it_is_replaced(self) -> None:
        f = function(100)
        run = story(f, delays=LaunchDelays.aws()).run(1800)
        before = len(f.ready(run.now))
        lost = next(iter(run.instances))
        zone = run.instances[lost].zone
        run.lose(lost)
        run.run(2100)
        assert len(f.ready(run.now)) >= before
        assert lost not in run.instances
        assert zone in {one.zone for one in run.instances.values()}

    def test_one_of_three_lost_comes_back_in_its_zone(self) -> None:
        run = story(function(0), delays=LaunchDelays.aws()).run(10 * MINUTE)
        lost, kept = "i-1", run.instances["i-1"].zone
        run.lose(lost)
        run.run(20 * MINUTE)
        assert run.launches[-1][1].zone == kept
        assert run.loads() == [1, 1, 1]

    def test_all_lost_start_again_as_at_the_start(self) -> None:
        f = function(20)
        run = story(f, delays=LaunchDelays.aws()).run(10 * MINUTE)
        for name in list(run.instances):
            run.lose(name)
        run.run(20 * MINUTE)
        assert run.loads() == [1, 1, 1]
        assert {one.zone for one in run.instances.values()} == set(ZONES)


class TestDeactivation:
    def test_zero_and_zero_ends_all_and_nothing_brings_it_back(self) -> None:
        f = function(40)
        run = story(f).run(10 * MINUTE)
        f.policy = replace(f.policy, minimum=0, maximum=0)
        run.run(15 * MINUTE)
        assert (f.environments, run.instances) == ([], {})
        assert f.reasons[-1] is Reason.DEACTIVATED
        launched = len(run.launches)
        run.run(2 * HOUR)
        assert len(run.launches) == launched
        f.policy = replace(f.policy, minimum=3, maximum=None)
        run.run(2 * HOUR + MINUTE)
        assert len(f.ready(run.now)) >= 3

    def test_the_other_function_stays(self) -> None:
        f = function(0)
        g = StoryFunction("g:1", policy(), lambda now: 10)
        run = story(f, g).run(10 * MINUTE)
        f.policy = replace(f.policy, minimum=0, maximum=0)
        run.run(HOUR)
        assert f.environments == []
        assert len(g.ready(run.now)) == 3
        assert run.loads() == [1, 1, 1]


class TestSharedInstances:
    def test_a_second_function_uses_the_room_that_is_there(self) -> None:
        f, g = function(0), StoryFunction("g:1", policy(), lambda now: 0)
        run = story(f, g).run(HOUR)
        assert run.loads() == [2, 2, 2]
        assert len(run.launches) == 3

    def test_one_that_grows_leaves_the_other_alone(self) -> None:
        f = function(lambda now: 300 if 600 < now < 1800 else 5)
        g = StoryFunction("g:1", policy(), lambda now: 10)
        run = story(f, g).run(3 * HOUR)
        assert {count for _, count in g.counts} == {3}
        assert g.refused.total() == 10  # before there was anything
        assert len(run.instances) == 3

    def test_functions_of_different_size(self) -> None:
        f = function(60)
        big = replace(policy(), vcpus=2.0)
        g = StoryFunction("g:1", big, lambda now: 60, size=Size(2.0, 4096))
        run = story(f, g).run(HOUR)
        assert len(f.ready(run.now)) == len(g.ready(run.now)) == 6
        assert sum(host.used.vcpus for host in run.hosts()) == 6 + 12


class TestConsolidation:
    def test_the_emptiest_instances_go(self) -> None:
        f = function(lambda now: 300 if now < 1800 else 60)
        run = story(f).run(2 * HOUR)
        assert sorted(run.loads()) == [1, 2, 3] or sorted(run.loads()) == [2, 2, 2]
        assert len(run.instances) == 3

    def test_an_empty_instance_is_kept_a_little(self) -> None:
        """A load that comes back within two minutes finds it."""
        f = function(0, policy(scale_in_window_s=10, scale_in_every_s=5, scale_in_share=1.0))
        run = story(f).run(MINUTE)
        f.load = lambda now: 150
        run.run(2 * MINUTE)
        many = len(run.instances)
        f.load = lambda now: 0
        run.run(3 * MINUTE)
        assert len(f.ready(run.now)) == 3
        assert len(run.instances) == many
        launched = len(run.launches)
        f.load = lambda now: 150
        run.run(4 * MINUTE)
        assert len(run.launches) == launched

    def test_what_serves_is_never_moved(self) -> None:
        """Until the end every environment stays where it was placed."""
        f = function(lambda now: 300 if now < 1800 else 30)
        run = story(f).run(1800)
        at = {one.environment_id: one.instance_id for one in f.environments}
        run.run(3 * HOUR)
        assert len(f.environments) == 3
        assert all(at[one.environment_id] == one.instance_id for one in f.environments)


class TestRotation:
    SETTINGS = PlacementSettings(max_age_s=HOUR)

    def rotating(self, *functions: StoryFunction, fleet: Fleet = FLEET) -> CapacityStory:
        return CapacityStory(fleet, functions, LaunchDelays.aws(), self.SETTINGS)

    def test_fourteen_days_by_default(self) -> None:
        assert PlacementSettings().max_age_s == 14 * DAY

    def test_one_after_the_other_and_never_fewer_than_before(self) -> None:
        f = function(20)
        run = self.rotating(f).run(HOUR - MINUTE)
        first = set(run.instances)
        ready = []
        while run.now < HOUR + 15 * MINUTE:
            run.run(run.now + 5.0)
            ready.append(len(f.ready(run.now)))
        assert not first & set(run.instances)
        assert min(ready) >= 3
        assert f.refused.total() == 20 * 19  # while the first ones started
        gone = [at for at, name in run.ended if name in first]
        assert len(gone) == len(set(gone)) == 3

    def test_the_new_one_is_up_before_the_old_one_goes(self) -> None:
        run = self.rotating(function(20)).run(HOUR + 10 * MINUTE)
        for (launched_at, _), (ended_at, _) in zip(run.launches[3:], run.ended, strict=False):
            assert ended_at - launched_at >= 90.0

    def test_two_functions_move_together(self) -> None:
        f, g = function(20), StoryFunction("g:1", policy(), lambda now: 10)
        run = self.rotating(f, g).run(90 * MINUTE)
        assert len(f.ready(run.now)) == len(g.ready(run.now)) == 3
        assert len(run.ended) == 3
        assert min(count for at, count in g.counts if at > 5) >= 3

    def test_a_full_capacity_provider_rotates_as_well(self) -> None:
        """What drains does not count against MaxVCpuCount: its replacement is there first (assumed)."""
        f = function(1000)
        run = self.rotating(f, fleet=Fleet(TYPES, ZONES, 16)).run(HOUR - MINUTE)
        first = set(run.instances)
        run.run(90 * MINUTE)
        assert not first & set(run.instances)
        assert len(f.ready(run.now)) == 12

    def test_never_for_long_runs_of_young_instances(self) -> None:
        run = story(function(20), delays=LaunchDelays.aws()).run(DAY)
        assert run.ended == []
