"""What the API reads and shows about people, teams and tokens."""

from typing import Any

from rest_framework import serializers

from accounts.models import ApiToken, Membership, Role, Team, TeamRole, User
from accounts.scopes import SCOPES
from accounts.services.passwords import MAX_LENGTH


class PersonOutput(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "email", "name"]


class UserOutput(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ["id", "email", "username", "name", "role", "is_active", "created_at", "last_login"]
        read_only_fields = fields


class TeamOutput(serializers.ModelSerializer[Team]):
    class Meta:
        model = Team
        fields = ["id", "slug", "name", "created_at"]
        read_only_fields = fields


class OwnTeamOutput(serializers.Serializer[Membership]):
    id = serializers.UUIDField(source="team.id")
    slug = serializers.CharField(source="team.slug")
    name = serializers.CharField(source="team.name")
    role = serializers.ChoiceField(choices=TeamRole.choices)


class ProfileOutput(UserOutput):
    """Oneself. `permissions` and `scopes` come from the actor, in the context."""

    teams = OwnTeamOutput(source="memberships.all", many=True)
    permissions = serializers.SerializerMethodField(help_text='Permission → ids of objects, or "all".')
    scopes = serializers.SerializerMethodField(help_text="Of the token in use; null when it may do all the person may.")

    class Meta(UserOutput.Meta):
        fields = [*UserOutput.Meta.fields, "teams", "permissions", "scopes"]

    def get_permissions(self, user: User) -> dict[str, Any]:
        return dict(self.context["permissions"])

    def get_scopes(self, user: User) -> list[str] | None:
        scopes = self.context["scopes"]
        return None if scopes is None else sorted(scopes)


class MemberOutput(serializers.ModelSerializer[Membership]):
    """`user` is the id, as in the body that added the member."""

    user = serializers.UUIDField(source="user_id")
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")

    class Meta:
        model = Membership
        fields = ["user", "email", "name", "role", "created_at"]
        read_only_fields = fields


class TokenOutput(serializers.ModelSerializer[ApiToken]):
    id = serializers.UUIDField(source="public_id")
    scopes = serializers.ListField(child=serializers.CharField(), allow_null=True)
    created_at = serializers.DateTimeField(source="created")
    expires_at = serializers.DateTimeField(source="expiry")

    class Meta:
        model = ApiToken
        fields = ["id", "name", "scopes", "created_at", "expires_at", "last_used_at"]
        read_only_fields = fields


class IssuedTokenOutput(TokenOutput):
    token = serializers.CharField(help_text="Shown now and never again.")

    class Meta(TokenOutput.Meta):
        fields = ["token", *TokenOutput.Meta.fields]


class LoginInput(serializers.Serializer[Any]):
    """Either `username` (the short name or the email address) or `email`."""

    username = serializers.CharField(required=False)
    email = serializers.CharField(required=False)
    password = serializers.CharField(trim_whitespace=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("username" in attrs) == ("email" in attrs):
            raise serializers.ValidationError({"username": "Send either username or email."})
        return attrs


class LoginOutput(serializers.Serializer[Any]):
    token = serializers.CharField()
    expires_at = serializers.DateTimeField()
    user = UserOutput()


class UserChanges(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254)
    username = serializers.CharField(max_length=40, allow_null=True, allow_blank=True, required=False)
    name = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(choices=Role.choices)
    is_active = serializers.BooleanField(required=False)


class UserInput(UserChanges):
    is_active = None  # type: ignore[assignment]
    password = serializers.CharField(
        trim_whitespace=False, max_length=MAX_LENGTH, required=False, allow_blank=True, write_only=True
    )


class PasswordInput(serializers.Serializer[Any]):
    password = serializers.CharField(trim_whitespace=False, max_length=MAX_LENGTH, write_only=True)


class PasswordChange(serializers.Serializer[Any]):
    current_password = serializers.CharField(trim_whitespace=False, write_only=True)
    new_password = serializers.CharField(trim_whitespace=False, max_length=MAX_LENGTH, write_only=True)


class TeamInput(serializers.Serializer[Any]):
    slug = serializers.SlugField(max_length=50)
    name = serializers.CharField(max_length=100)


class MemberChanges(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=TeamRole.choices)


class MemberInput(serializers.Serializer[Any]):
    user = serializers.CharField(max_length=254, help_text="Id or email address.")
    role = serializers.ChoiceField(choices=TeamRole.choices, default=TeamRole.MEMBER)


class TokenInput(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=SCOPES), min_length=1, max_length=len(SCOPES))
    expires_at = serializers.DateTimeField()
