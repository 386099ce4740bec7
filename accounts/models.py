"""Who: people, teams, API tokens."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, Group, PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from knox.models import AbstractAuthToken, AuthTokenManager

from releasemgr.core.models import Identified


class Role(models.TextChoices):
    ADMIN = "admin", "Administrator"
    ENGINEER = "engineer", "Engineer"
    VIEWER = "viewer", "Viewer"


class People(BaseUserManager["User"]):
    """The manager that Django's own commands (`createsuperuser`) expect."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, **{"role": Role.ADMIN, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        """The person who logs in as `username`: an email address, or the short name."""
        login = (username or "").strip().lower()
        return self.get(models.Q(email=login) | models.Q(username=login))


class User(Identified, AbstractBaseUser, PermissionsMixin):  # type: ignore[django-manager-missing]
    """Role decides what a person may ever do, teams decide where."""

    email = models.EmailField(unique=True)
    username = models.CharField(
        "short name",
        max_length=40,
        unique=True,
        null=True,
        blank=True,
        help_text="May be used instead of the email address to log in.",
        validators=[
            RegexValidator(r"^[a-z0-9][a-z0-9._-]*\Z", "Lower-case letters, digits, dot, dash and underscore.")
        ],
    )
    name = models.CharField(max_length=150)
    role = models.CharField(max_length=10, choices=Role, default=Role.VIEWER)
    is_active = models.BooleanField(default=True)

    objects: ClassVar[People] = People()
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="user_email_lower_case"),
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="user_role_known"),
        ]

    def __str__(self) -> str:
        return self.name or self.email

    # Properties, not columns: the role is the only truth about rights.
    @property
    def is_superuser(self) -> bool:  # type: ignore[override]
        return self.is_active and self.role == Role.ADMIN

    @property
    def is_staff(self) -> bool:
        return self.is_superuser

    def get_full_name(self) -> str:
        return self.name

    def get_short_name(self) -> str:
        return self.name.split(" ")[0] if self.name else self.email

    def clean(self) -> None:
        self.email = self.email.strip().lower()
        self.username = (self.username or "").strip().lower() or None


class Team(Identified):
    """Owns applications. Rights are given to `group`, so that membership alone decides who has them."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    group = models.OneToOneField(Group, on_delete=models.PROTECT, editable=False)

    class Meta:
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name


class TeamRole(models.TextChoices):
    MAINTAINER = "maintainer", "Maintainer"
    MEMBER = "member", "Member"


class Membership(Identified):
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=TeamRole, default=TeamRole.MEMBER)

    class Meta:
        ordering = ["user__name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["team", "user"], name="one_membership_per_team_and_user"),
            models.CheckConstraint(condition=models.Q(role__in=TeamRole.values), name="membership_role_known"),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"


class ApiToken(AbstractAuthToken):  # type: ignore[misc]
    """A key for automation, stored as a digest. `scopes` is null for a login's token: all that the person may do."""

    objects: ClassVar[AuthTokenManager] = AuthTokenManager()

    public_id = models.UUIDField(unique=True, editable=False)
    name = models.CharField(max_length=100, default="login")
    scopes = models.JSONField(null=True, default=None)
    last_used_at = models.DateTimeField(null=True, editable=False)
    # A token made with another token ends with it.
    issued_by = models.ForeignKey("self", null=True, editable=False, on_delete=models.CASCADE, related_name="issued")

    class Meta:
        ordering = ["-created"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class FailedLogin(models.Model):
    """Counts for the login throttle; `key` is a digest of the account, the address, or both."""

    key = models.CharField(primary_key=True, max_length=80)
    count = models.PositiveIntegerField()
    window_ends_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.key
